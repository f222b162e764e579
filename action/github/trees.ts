// What a commit holds, by GitHub's API: entries of its tree, what one path is, the text of a file.
import type { GitHub, Repo } from './client.ts';

export interface TreeEntry {
  /** From the root of the repository. */
  readonly path: string;
  readonly id: string;
  readonly size: number;
  readonly isLink: boolean;
}

export interface Trees {
  /** Every file and link below a folder; null when it is none. */
  below(commit: string, path: string): Promise<readonly TreeEntry[] | null>;
  /** Git's name of what a path is, as `100644:5f3c…`; null: nothing, a link or a submodule. */
  nameOf(commit: string, path: string): Promise<string | null>;
  text(id: string): Promise<string>;
}

export function createTrees(github: GitHub, repo: Repo): Trees {
  const listings = new Map<string, Promise<Listing>>();
  const list = (sha: string, isDeep: boolean): Promise<Listing> => {
    const key = `${sha} ${isDeep}`;
    const asked = listings.get(key) ?? listTree(github, repo, sha, isDeep);
    listings.set(key, asked);
    return asked;
  };
  return {
    async below(commit, path) {
      const folder = await find(list, commit, path);
      return folder?.type === 'tree' ? filesOf(list, folder.sha, path) : null;
    },
    async nameOf(commit, path) {
      const item = await find(list, commit, path);
      const isContent = item && item.type !== 'commit' && item.mode !== LINK;
      return isContent ? `${item.mode}:${item.sha}` : null;
    },
    async text(id) {
      const { data } = await github.rest.git.getBlob({ ...repo, file_sha: id });
      return Buffer.from(data.content, 'base64').toString('utf8');
    },
  };
}

// Private

interface Item {
  readonly path: string;
  readonly mode: string;
  readonly type: string;
  readonly sha: string;
  readonly size: number;
}

interface Listing {
  readonly sha: string;
  readonly items: readonly Item[];
  readonly isCut: boolean;
}

type List = (sha: string, isDeep: boolean) => Promise<Listing>;

const LINK = '120000';

async function listTree(github: GitHub, repo: Repo, sha: string, isDeep: boolean): Promise<Listing> {
  const recursive = isDeep ? { recursive: '1' } : {};
  const { data } = await github.rest.git.getTree({ ...repo, tree_sha: sha, ...recursive });
  const items = data.tree.map(({ path = '', mode = '', type = '', sha: id = '', size = 0 }) => {
    return { path, mode, type, sha: id, size };
  });
  return { sha: data.sha, items, isCut: data.truncated };
}

/** From folder to folder, so that a big repository costs no more than a small one. */
async function find(list: List, commit: string, path: string): Promise<Item | null> {
  const parts = path.split('/').filter((part) => part !== '');
  const root = await list(commit, false);
  let found: Item = { path: '', mode: '040000', type: 'tree', sha: root.sha, size: 0 };
  for (const [index, part] of parts.entries()) {
    if (found.type !== 'tree') return null;
    const { items } = index === 0 ? root : await list(found.sha, false);
    const next = items.find((item) => item.path === part);
    if (!next) return null;
    found = next;
  }
  return found;
}

/** At once, or, where that is more than GitHub lists, folder by folder. */
async function filesOf(list: List, sha: string, path: string): Promise<TreeEntry[]> {
  const whole = await list(sha, true);
  const { items } = whole.isCut ? await list(sha, false) : whole;
  const found = await Promise.all(
    items.map(async (item) => {
      const at = path === '' ? item.path : `${path}/${item.path}`;
      if (item.type === 'tree') return whole.isCut ? filesOf(list, item.sha, at) : [];
      return item.type === 'blob' ? [entryOf(item, at)] : [];
    }),
  );
  return found.flat();
}

function entryOf({ sha, size, mode }: Item, path: string): TreeEntry {
  return { path, id: sha, size, isLink: mode === LINK };
}
