import { execFileSync } from 'node:child_process';
import { chownSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { openSource, type Source, type SourceOptions } from '../../../reconciler/source/git.ts';
import { Failure } from '../../../schemas/errors.ts';
import {
  makeBare,
  makeExecutable,
  makeLink,
  makeRepo,
  openRepo,
  type TestRepo,
  temporaryFolder,
} from '../../git.ts';

const place = temporaryFolder();
const opened: Source[] = [];
let count = 0;
let at: string;
let repo: TestRepo;

beforeEach(() => {
  at = join(place.dir, String(++count));
  repo = makeRepo(join(at, 'repo'));
});

afterAll(() => {
  for (const source of opened) source.close();
  place.remove();
});

async function open(options: Partial<SourceOptions> = {}): Promise<Source> {
  const source = await openSource({ repo: repo.dir, dir: join(at, 'data'), ...options });
  opened.push(source);
  return source;
}

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const error = await promise.then(
    () => 'no error',
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Failure);
  return error as Failure;
}

async function textOf(source: Source, commit: string, path: string): Promise<string | undefined> {
  const entry = (await source.list(commit)).find((each) => each.path === path);
  const bytes = entry && (await source.read([entry.id])).get(entry.id);
  return bytes && new TextDecoder().decode(bytes);
}

async function collect(files: AsyncIterable<{ path: string; mode: number; bytes: Uint8Array }>) {
  const found: Record<string, string> = {};
  for await (const { path, mode, bytes } of files) {
    found[path] = `${mode.toString(8)} ${new TextDecoder().decode(bytes)}`;
  }
  return found;
}

describe('reading a commit', () => {
  test('the newest commit of the branch HEAD names is fetched, with who, when and what', async () => {
    const commit = repo.commit({ 'a.dstack.yml': 'type: service\n' }, 'add a\n\nlonger words');
    const source = await open();
    const fetched = await source.fetch();
    expect(fetched).toEqual({
      commit,
      committedAt: Number(repo.git('log', '-1', '--format=%ct')) * 1000,
      author: 'Ada',
      subject: 'add a',
      forced: false,
    });
    expect(source.branch()).toBe('main');
    expect(source.isLocal).toBe(true);
    expect(await textOf(source, commit, 'a.dstack.yml')).toBe('type: service\n');
  });

  test('a work tree, a bare repository, a file URL and a linked work tree all serve', async () => {
    const commit = repo.commit({ 'a.yml': 'a' });
    const bare = makeBare(repo, join(at, 'bare.git'));
    repo.git('worktree', 'add', '--quiet', '-b', 'side', join(at, 'linked'));
    const linked = openRepo(join(at, 'linked'));
    const side = linked.commit({ 'b.yml': 'b' });

    for (const [index, where] of [repo.dir, bare, `file://${bare}`].entries()) {
      const source = await open({ repo: where, dir: join(at, `data-${index}`) });
      expect((await source.fetch()).commit).toBe(commit);
    }
    const source = await open({ repo: linked.dir });
    expect((await source.fetch()).commit).toBe(side);
    expect(source.branch()).toBe('side');
  });

  test('every branch can be chosen, also one whose name has slashes', async () => {
    repo.commit({ 'a.yml': 'a' });
    repo.git('switch', '--quiet', '-c', 'feature/new/idea');
    const commit = repo.commit({ 'a.yml': 'b' });
    repo.git('switch', '--quiet', 'main');
    const source = await open({ branch: 'feature/new/idea' });
    expect((await source.fetch()).commit).toBe(commit);
  });

  test('the branch stays the one HEAD named first, when HEAD moves to another', async () => {
    const commit = repo.commit({ 'a.yml': 'a' });
    const source = await open();
    await source.fetch();
    repo.git('switch', '--quiet', '-c', 'other');
    repo.commit({ 'a.yml': 'b' });
    expect((await source.fetch()).commit).toBe(commit);
    expect(source.branch()).toBe('main');
  });

  test('a detached HEAD is followed itself', async () => {
    repo.commit({ 'a.yml': 'a' });
    repo.git('switch', '--quiet', '--detach');
    const source = await open();
    const first = await source.fetch();
    const second = repo.commit({ 'a.yml': 'b' });
    expect(source.branch()).toBe('HEAD');
    expect(await source.fetch()).toMatchObject({ commit: second, forced: false });
    expect(first.commit).not.toBe(second);
  });

  test('only commits count: what is not committed is not there', async () => {
    const commit = repo.commit({ 'a.yml': 'committed' });
    execFileSync('sh', ['-c', 'echo changed > a.yml; echo new > b.yml; git add b.yml'], { cwd: repo.dir });
    const source = await open();
    expect((await source.fetch()).commit).toBe(commit);
    expect((await source.list(commit)).map((entry) => entry.path)).toEqual(['a.yml']);
    expect(await textOf(source, commit, 'a.yml')).toBe('committed');
  });

  test('only what lies below the path is listed, named from the root', async () => {
    const commit = repo.commit({
      'a.yml': '',
      'deploy/b.yml': '',
      'deploy/x/c.yml': '',
      'deployed/d.yml': '',
    });
    const source = await open({ path: './deploy/' });
    await source.fetch();
    const paths = (await source.list(commit)).map((entry) => entry.path);
    expect(paths).toEqual(['deploy/b.yml', 'deploy/x/c.yml']);
    expect(source.path()).toBe('deploy');
  });

  test('a local path inside a work tree watches that folder, unless a path is given from the root', async () => {
    repo.commit({ 'a.yml': '', 'deploy/b.yml': '' });
    const inside = join(repo.dir, 'deploy');
    expect((await open({ repo: inside })).path()).toBe('deploy');
    expect((await open({ repo: inside, path: '' })).path()).toBe('');
  });

  test('names that are odd, long or not English arrive unharmed', async () => {
    const odd = ['with space.yml', 'tab\tand\nline.yml', 'größe/模型.yml', ':(glob)**.yml', '"quoted".yml'];
    const commit = repo.commit(Object.fromEntries(odd.map((name) => [name, name])));
    const source = await open();
    await source.fetch();
    for (const name of odd) expect(await textOf(source, commit, name)).toBe(name);
    expect(await source.object(commit, ':(glob)**.yml')).toMatchObject({ kind: 'file' });
  });

  test('bytes arrive unchanged: empty, binary, several megabytes', async () => {
    const big = new Uint8Array(3_000_000).map((_, index) => (index * 7919) % 256);
    const commit = repo.commit({ empty: '', binary: new Uint8Array([0, 10, 13, 255]), big });
    const source = await open({ limits: { fileBytes: 4_000_000 } });
    await source.fetch();
    const entries = await source.list(commit);
    const blobs = await source.read(entries.map((entry) => entry.id));
    const found = Object.fromEntries(entries.map((entry) => [entry.path, blobs.get(entry.id)]));
    expect(found.empty).toEqual(new Uint8Array());
    expect(found.binary).toEqual(new Uint8Array([0, 10, 13, 255]));
    expect(Buffer.compare(found.big ?? new Uint8Array(), big)).toBe(0);
  });

  test('a repository with SHA-256 ids serves too', async () => {
    execFileSync('git', ['init', '--quiet', '--object-format=sha256', join(at, 'sha256')]);
    const commit = openRepo(join(at, 'sha256')).commit({ 'a.yml': 'a' });
    const source = await open({ repo: join(at, 'sha256') });
    expect((await source.fetch()).commit).toBe(commit);
    expect(commit).toHaveLength(64);
    expect(await textOf(source, commit, 'a.yml')).toBe('a');
  });

  test('a shallow clone can be watched', async () => {
    repo.commit({ 'a.yml': 'a' });
    const commit = repo.commit({ 'a.yml': 'b' });
    repo.git('clone', '--quiet', '--depth=1', `file://${repo.dir}`, join(at, 'shallow'));
    const source = await open({ repo: join(at, 'shallow') });
    expect((await source.fetch()).commit).toBe(commit);
  });
});

describe('following pushes', () => {
  test('several commits at once are no force-push, and what they changed is named', async () => {
    const first = repo.commit({ 'a.yml': 'a', 'b.yml': 'b', 'c/d.yml': 'd' });
    const source = await open();
    await source.fetch();
    repo.commit({ 'a.yml': 'a2' });
    repo.commit({ 'b.yml': null, 'new.yml': 'new' });
    const { commit, forced } = await source.fetch();
    const changes = await source.changed(first, commit);
    expect(forced).toBe(false);
    expect(changes?.written.map(({ path, type, size }) => ({ path, type, size }))).toEqual([
      { path: 'a.yml', type: 'file', size: 2 },
      { path: 'new.yml', type: 'file', size: 3 },
    ]);
    expect(changes?.removed).toEqual(['b.yml']);
  });

  test('changes outside the watched path are no changes', async () => {
    const first = repo.commit({ 'a.yml': 'a', 'deploy/b.yml': 'b' });
    const source = await open({ path: 'deploy' });
    await source.fetch();
    const second = repo.commit({ 'a.yml': 'changed' });
    await source.fetch();
    expect(await source.changed(first, second)).toEqual({ written: [], removed: [] });
  });

  test('a force-push is followed, reported, and the commit before it stays readable', async () => {
    repo.commit({ 'a.yml': 'one' });
    const lost = repo.commit({ 'a.yml': 'two' });
    const source = await open();
    await source.fetch();
    repo.git('reset', '--quiet', '--hard', 'HEAD~1');
    repo.commit({ 'a.yml': 'three' });
    const rewritten = repo.commit({ 'a.yml': 'four' });
    repo.git('reflog', 'expire', '--expire=now', '--all');
    repo.git('gc', '--quiet', '--prune=now');
    expect(await source.fetch()).toMatchObject({ commit: rewritten, forced: true });
    expect(await source.fetch()).toMatchObject({ commit: rewritten, forced: false });
    expect(await textOf(source, lost, 'a.yml')).toBe('two');
    expect((await source.changed(lost, rewritten))?.written.map((entry) => entry.path)).toEqual(['a.yml']);
  });

  test('commits whose clocks disagree are no force-push', async () => {
    repo.commit({ 'a.yml': 'one' });
    const source = await open();
    await source.fetch();
    for (const text of ['two', 'three']) {
      repo.commit({ 'a.yml': text });
      // Committed "an hour before" what it builds on.
      const [tree, parent] = [repo.git('rev-parse', 'HEAD^{tree}'), repo.git('rev-parse', 'HEAD~1')];
      const time = Number(repo.git('log', '-1', '--format=%ct', parent)) - 3600;
      const raw = `tree ${tree}\nparent ${parent}\nauthor A <a@b> ${time} +0000\ncommitter A <a@b> ${time} +0000\n\nlate\n`;
      writeFileSync(join(at, 'raw'), raw);
      repo.git('reset', '--quiet', '--hard', repo.git('hash-object', '-t', 'commit', '-w', join(at, 'raw')));
    }
    expect(await source.fetch()).toMatchObject({ commit: repo.head(), forced: false, subject: 'late' });
  });

  test('going back to an older commit is a force-push', async () => {
    const first = repo.commit({ 'a.yml': 'one' });
    repo.commit({ 'a.yml': 'two' });
    const source = await open();
    await source.fetch();
    repo.git('reset', '--quiet', '--hard', first);
    expect(await source.fetch()).toMatchObject({ commit: first, forced: true });
  });

  test('a force-push while nobody looked is reported by the next process', async () => {
    repo.commit({ 'a.yml': 'one' });
    repo.commit({ 'a.yml': 'two' });
    await (await open()).fetch();
    repo.git('reset', '--quiet', '--hard', 'HEAD~1');
    repo.commit({ 'a.yml': 'three' });
    expect(await (await open()).fetch()).toMatchObject({ forced: true });
  });

  test('commits that are kept outlive the repository; the others are let go', async () => {
    const commits = ['one', 'two', 'three'].map((text) => repo.commit({ 'a.yml': text }));
    const source = await open();
    for (const commit of commits) {
      repo.git('reset', '--quiet', '--hard', commit);
      await source.fetch();
    }
    await source.keep([commits[0] ?? '']);
    renameSync(repo.dir, join(at, 'gone'));
    const mirror = openRepo(join(at, 'data', 'mirror'));
    const kept = mirror.git('for-each-ref', '--format=%(objectname)', 'refs/trueup').split('\n');
    expect(kept.sort()).toEqual([commits[0], commits[2]].sort());
    expect(await textOf(source, commits[0] ?? '', 'a.yml')).toBe('one');
  });

  test('an unknown commit to compare with gives null, so that the caller lists everything', async () => {
    const commit = repo.commit({ 'a.yml': 'one' });
    const source = await open();
    await source.fetch();
    expect(await source.changed('0123456789012345678901234567890123456789', commit)).toBeNull();
  });

  test('locks left by a git that was killed do not stop the next start', async () => {
    repo.commit({ 'a.yml': 'one' });
    await (await open()).fetch();
    const mirror = join(at, 'data', 'mirror');
    execFileSync('sh', ['-c', 'touch shallow.lock; for r in $(find refs -type f); do touch $r.lock; done'], {
      cwd: mirror,
    });
    const commit = repo.commit({ 'a.yml': 'two' });
    expect((await (await open()).fetch()).commit).toBe(commit);
  });
});

describe('what can be wrong', () => {
  test('a branch that is not there: near ones are named', async () => {
    repo.commit({ 'a.yml': '' });
    repo.git('branch', 'production');
    const failure = await failureOf((await open({ branch: 'prodution' })).fetch());
    expect(failure.kind).toBe('invalid');
    expect(failure.message).toContain("no branch 'prodution'");
    expect(failure.fix).toBe('Choose one with --branch: production, main');
  });

  test('a folder that is not there: the folders of the commit are named', async () => {
    repo.commit({ 'deploy/a.yml': '', 'docs/b.md': '' });
    const failure = await failureOf((await open({ path: 'deplyo' })).fetch());
    expect(failure.kind).toBe('invalid');
    expect(failure.message).toContain("there is no folder 'deplyo'");
    expect(failure.fix).toContain('deploy');
  });

  test('a folder that vanishes is a failure, and never an empty list', async () => {
    repo.commit({ 'deploy/a.yml': '', 'b.yml': '' });
    const source = await open({ path: 'deploy' });
    await source.fetch();
    repo.commit({ 'deploy/a.yml': null });
    expect((await failureOf(source.fetch())).kind).toBe('invalid');
    const back = repo.commit({ 'deploy/a.yml': 'back' });
    expect((await source.fetch()).commit).toBe(back);
  });

  test('an empty repository says so, and is followed from its first commit on', async () => {
    const source = await open();
    const failure = await failureOf(source.fetch());
    expect(failure.kind).toBe('invalid');
    expect(failure.message).toContain('has no commit yet');
    const commit = repo.commit({ 'a.yml': '' });
    expect((await source.fetch()).commit).toBe(commit);
  });

  test('a folder that is no repository, or not there at all', async () => {
    for (const where of [place.dir, join(place.dir, 'nowhere')]) {
      const failure = await failureOf((await open({ repo: where })).fetch());
      expect(failure.kind).toBe('invalid');
      expect(failure.message).toContain('there is no git repository');
    }
  });

  test('a repository that was there before is only away for a while', async () => {
    const commit = repo.commit({ 'a.yml': 'one' });
    const source = await open();
    await source.fetch();
    renameSync(repo.dir, join(at, 'away'));
    expect((await failureOf(source.fetch())).kind).toBe('transient');
    expect(await textOf(source, commit, 'a.yml')).toBe('one');
    renameSync(join(at, 'away'), repo.dir);
    const next = repo.commit({ 'a.yml': 'two' });
    expect((await source.fetch()).commit).toBe(next);
  });

  test('which folder a local path names is not guessed while the repository is away', async () => {
    const commit = repo.commit({ 'a.yml': '', 'deploy/b.yml': '' });
    const options = { repo: join(repo.dir, 'deploy') };
    await (await open(options)).fetch();
    const running = await open(options);
    await running.fetch();
    renameSync(repo.dir, join(at, 'away'));
    const restarted = await open(options);
    expect((await failureOf(restarted.list(commit))).kind).toBe('transient');
    expect(await running.list(commit)).toHaveLength(1);
    renameSync(join(at, 'away'), repo.dir);
    expect(await restarted.list(commit)).toHaveLength(1);
  });

  test('too many files', async () => {
    const commit = repo.commit({ 'a.yml': '', 'b.yml': '', 'c.txt': '' });
    const source = await open({ limits: { files: 2 } });
    await source.fetch();
    const failure = await failureOf(source.list(commit));
    expect(failure.kind).toBe('invalid');
    expect(failure.fix).toContain('--path');
    expect(await source.list(commit, (path) => path.endsWith('.yml'))).toHaveLength(2);
  });

  test('a huge file is a problem of that file, and is never read', async () => {
    const commit = repo.commit({ 'a.yml': 'small', 'huge.yml': 'x'.repeat(2_000_000) });
    const source = await open();
    await source.fetch();
    const [small, huge] = await source.list(commit);
    if (small === undefined || huge === undefined) throw new Error('two entries expected');
    expect(source.problem(small)).toBeNull();
    expect(source.problem(huge)).toMatchObject({ file: 'huge.yml', severity: 'error' });
    expect((await failureOf(source.read([small.id, huge.id]))).kind).toBe('invalid');
    expect((await source.read([small.id])).size).toBe(1);
  });

  test('links and submodules are named, with a problem, and not followed', async () => {
    makeLink(join(repo.dir, 'out.yml'), '/etc/passwd');
    makeLink(join(repo.dir, 'folder'), '../../');
    const other = makeRepo(join(at, 'other'));
    other.commit({ 'x.yml': '' });
    repo.git('submodule', '--quiet', 'add', other.dir, 'sub.yml');
    const commit = repo.commit({ 'a.yml': '' });
    const source = await open();
    await source.fetch();
    const entries = await source.list(commit);
    expect(entries.map(({ path, type }) => [path, type])).toEqual([
      ['.gitmodules', 'file'],
      ['a.yml', 'file'],
      ['folder', 'link'],
      ['out.yml', 'link'],
      ['sub.yml', 'submodule'],
    ]);
    const problems = entries.map((entry) => source.problem(entry)?.message);
    expect(problems[3]).toContain('symbolic link');
    expect(problems[4]).toContain('submodule');
  });

  test('a repository of another user is refused with the fix, and the fix works', async (context) => {
    if (process.getuid?.() !== 0) return context.skip('only root can give a folder away');
    const commit = repo.commit({ 'a.yml': '' });
    const paths = readdirSync(repo.dir, { recursive: true, encoding: 'utf8' });
    for (const path of ['', ...paths]) chownSync(join(repo.dir, path), 12345, 12345);
    const home = process.env.HOME;
    process.env.HOME = at;
    try {
      const source = await open();
      const failure = await failureOf(source.fetch());
      expect(failure.kind).toBe('invalid');
      expect(failure.message).toContain('dubious ownership');
      const command = /git config --global --add safe\.directory (\S+)/.exec(failure.fix);
      execFileSync('git', ['config', '--global', '--add', 'safe.directory', command?.[1] ?? '']);
      expect((await source.fetch()).commit).toBe(commit);
    } finally {
      process.env.HOME = home;
    }
  });
});

describe('files and folders for services', () => {
  test('the content hash of a folder changes with any byte, mode or name in it, and with nothing else', async () => {
    const first = repo.commit({ 'app/a.py': 'a', 'app/lib/b.py': 'b', 'other.txt': '' });
    const second = repo.commit({ 'other.txt': 'changed' });
    makeExecutable(join(repo.dir, 'app', 'lib', 'b.py'));
    const third = repo.commit({});
    const source = await open();
    const hashes: (string | undefined)[] = [];
    for (const commit of [first, second, third]) {
      repo.git('reset', '--quiet', '--hard', commit);
      await source.fetch();
      hashes.push((await source.object(commit, 'app'))?.id);
    }
    expect(hashes[0]).toBe(hashes[1]);
    expect(hashes[1]).not.toBe(hashes[2]);
    expect(await source.object(first, 'app/a.py')).toMatchObject({ kind: 'file', mode: '100644' });
    expect(await source.object(third, 'app/lib/b.py')).toMatchObject({ kind: 'file', mode: '100755' });
    expect(await source.object(first, '')).toMatchObject({ kind: 'folder' });
    expect(await source.object(first, 'nothing/here')).toBeNull();
  });

  test('a mount gives paths below it, modes and bytes, of the commit that was asked for', async () => {
    repo.commit({ 'app/run.sh': 'echo', 'app/lib/b.py': 'b' });
    makeExecutable(join(repo.dir, 'app', 'run.sh'));
    const commit = repo.commit({});
    const source = await open();
    await source.fetch();
    repo.commit({ 'app/lib/b.py': 'newer' });
    await source.fetch();
    expect(await collect(source.mount(commit, 'app')())).toEqual({
      'run.sh': '755 echo',
      'lib/b.py': '644 b',
    });
    expect(await collect(source.mount(commit, 'app/run.sh')())).toEqual({ '': '755 echo' });
    expect(Object.keys(await collect(source.mount(commit, '')()))).toEqual(['app/lib/b.py', 'app/run.sh']);
  });

  test('a mount with a link, of a link, of nothing or of too much is refused', async () => {
    makeLink(join(repo.dir, 'app', 'link'), '../../secret');
    const commit = repo.commit({ 'app/a': 'x'.repeat(100), 'big/b': 'x'.repeat(1000) });
    const source = await open({ limits: { mountBytes: 500 } });
    await source.fetch();
    for (const [path, reason] of [
      ['app', 'symbolic link'],
      ['app/link', 'symbolic link'],
      ['nothing', 'is not in the repository'],
      ['big', 'at most 500'],
    ] as const) {
      const failure = await failureOf(collect(source.mount(commit, path)()));
      expect(failure.kind).toBe('invalid');
      expect(failure.message).toContain(reason);
    }
    expect((await failureOf(source.object(commit, 'app/link'))).message).toContain('symbolic link');
  });

  test('no path leads out of the repository', async () => {
    const commit = repo.commit({ 'a.yml': '' });
    const source = await open();
    await source.fetch();
    for (const path of ['..', '../x', 'a/../../x', '/etc/passwd']) {
      expect((await failureOf(source.object(commit, path))).message).toContain('leaves the repository');
      expect(() => source.mount(commit, path)()).toThrow('leaves the repository');
    }
    expect((await failureOf(open({ path: '../x' }))).kind).toBe('invalid');
  });

  test('reading can stop halfway', async () => {
    const commit = repo.commit({ 'app/a': 'x'.repeat(1_000_000), 'app/b': 'y'.repeat(1_000_000) });
    const source = await open();
    await source.fetch();
    for await (const file of source.mount(commit, 'app')()) {
      expect(file.path).toBe('a');
      break;
    }
    expect(Object.keys(await collect(source.mount(commit, 'app')()))).toEqual(['a', 'b']);
  });
});

describe('watching a local repository', () => {
  /** Resolves at the next call; the test's own timeout is the deadline. */
  function nextWake(source: Source): { woken: Promise<void>; stop: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    return { woken: promise, stop: source.watch(resolve) };
  }

  test.each([
    ['a commit', () => repo.commit({ 'a.yml': 'two' })],
    [
      'a ref written by packing',
      () => repo.git('update-ref', 'refs/heads/main', repo.git('commit-tree', 'HEAD^{tree}', '-m', 'x')),
    ],
    ['the repository going away', () => renameSync(repo.dir, join(at, 'away'))],
  ])('%s wakes', async (_, change) => {
    repo.commit({ 'a.yml': 'one' });
    const source = await open();
    await source.fetch();
    const { woken, stop } = nextWake(source);
    change();
    await woken;
    stop();
  });

  test('a commit in a linked work tree, and one on a detached HEAD, wake', async () => {
    repo.commit({ 'a.yml': 'one' });
    repo.git('worktree', 'add', '--quiet', '-b', 'side', join(at, 'linked'));
    const linked = openRepo(join(at, 'linked'));
    for (const prepare of [() => {}, () => linked.git('switch', '--quiet', '--detach')]) {
      prepare();
      const source = await open({ repo: linked.dir });
      await source.fetch();
      const { woken, stop } = nextWake(source);
      linked.commit({ 'b.yml': `${Math.random()}` });
      await woken;
      stop();
    }
  });
});
