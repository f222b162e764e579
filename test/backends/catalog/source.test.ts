// Where prices come from: folders, zips that cannot be trusted, and a published location that may be down.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readFolder } from '../../../backends/catalog/folder.ts';
import { readPublished } from '../../../backends/catalog/published.ts';
import { catalogFrom, openCatalog } from '../../../backends/catalog/source.ts';
import { readZip } from '../../../backends/catalog/zip.ts';
import { list, type Machine, zip } from './lists.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trueup-lists-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function put(name: string, content: string | Uint8Array): void {
  writeFileSync(join(dir, name), content);
}

describe('a folder', () => {
  test('holds a list per cloud, named as lists or as configurations name it', async () => {
    put('aws.csv', list(['m5.large', 'us-east-1', 0.1], ['m5.large', 'eu-west-1', 0.11]));
    put('catalog.zip', zip({ 'lambdalabs.csv': list(['cpu_4x', 'us-west-1', 0.2]) }));
    put('notes.txt', 'nothing of interest');
    const loaded = await openCatalog({ kind: 'folder', dir });
    expect(loaded).toMatchObject({ source: 'catalog', date: null, bad: [], notes: [] });
    expect(loaded.providers).toEqual([
      { backend: 'aws', rows: 2, version: null },
      { backend: 'lambda', rows: 1, version: null },
    ]);
    expect(loaded.catalog.size).toBe(3);
  });

  test('may hold one zip with the lists of all', async () => {
    put('all.zip', zip({ 'aws.csv': list(['a', 'r', 1]), 'gcp.csv': list(['b', 'r-a', 2]) }));
    const { rows } = await readFolder(dir);
    expect(rows.map(({ backend }) => backend)).toEqual(['aws', 'gcp']);
  });

  test('of two lists of one cloud the file counts, and it says so', async () => {
    put('a-catalog.zip', zip({ 'aws.csv': list(['old', 'r', 9]) }));
    put('aws.csv', list(['new', 'r', 1]));
    const { rows, notes } = await readFolder(dir);
    expect(rows.map(({ instance }) => instance)).toEqual(['new']);
    expect(notes).toEqual(['a-catalog.zip/aws.csv is left out: aws.csv has prices of aws already']);
  });

  test('keeps what can be read when a line, or a whole file, cannot', async () => {
    put('aws.csv', `${list(['good', 'r', 1])}bad,r,free,4,16.0,0,,,False,,,,x86,{}\n`);
    put('broken.zip', zip({ 'gcp.csv': list(['b', 'r', 2]) }).subarray(0, 60));
    const { rows, bad, notes } = await readFolder(dir);
    expect(rows.map(({ instance }) => instance)).toEqual(['good']);
    expect(bad).toMatchObject([{ file: 'aws.csv', line: 3, message: expect.stringContaining('price') }]);
    expect(notes).toEqual([expect.stringContaining('broken.zip cannot be read')]);
  });

  test('of which no line can be read has nothing to offer, and says of each line why', async () => {
    put('aws.csv', `${list()}bad,r,free,4,16.0,0,,,False,,,,x86,{}\n`);
    const { catalog, bad, providers } = await openCatalog({ kind: 'folder', dir });
    expect([catalog.size, providers]).toEqual([0, []]);
    expect(bad).toMatchObject([{ file: 'aws.csv', line: 2, message: expect.stringContaining('price') }]);
  });

  test('names the zip that a list is from', async () => {
    put('all.zip', zip({ 'aws.csv': 'nothing', 'gcp.csv': `${list(['b', 'r-a', 2])}bad\n` }));
    const { bad } = await readFolder(dir);
    expect(bad.map(({ file, line }) => [file, line])).toEqual([
      ['all.zip/aws.csv', 1],
      ['all.zip/gcp.csv', 3],
    ]);
  });

  test('is not left by a link', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'trueup-outside-'));
    writeFileSync(join(outside, 'gcp.csv'), list(['secret', 'r', 1]));
    mkdirSync(join(dir, '..data'));
    writeFileSync(join(dir, '..data', 'aws.csv'), list(['inside', 'r', 1]));
    symlinkSync('..data/aws.csv', join(dir, 'aws.csv'));
    symlinkSync(join(outside, 'gcp.csv'), join(dir, 'gcp.csv'));
    const { rows, notes } = await readFolder(dir);
    expect(rows.map(({ instance }) => instance)).toEqual(['inside']);
    expect(notes).toEqual(['gcp.csv is left out: it is a link that leaves the folder']);
    rmSync(outside, { recursive: true });
  });

  test.each([
    ['is not there', () => rmSync(dir, { recursive: true }), 'there is no such folder'],
    ['is empty', () => {}, 'there are no prices in'],
    ['holds something else', () => put('aws.csv', 'name,size\na,1\n'), 'there is no column instance_name'],
  ])('that %s is refused with what it should hold', async (_, prepare, message) => {
    prepare();
    await expect(openCatalog({ kind: 'folder', dir })).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining(message),
      fix: expect.stringContaining('aws.csv'),
    });
  });
});

describe('a zip', () => {
  test('gives only lists at its top, whatever paths it holds', () => {
    const bytes = zip({
      'aws.csv': 'x',
      '../evil.csv': 'x',
      'deep/gcp.csv': 'x',
      '/etc/passwd.csv': 'x',
      'a.txt': 'x',
    });
    const { files, skipped } = readZip('a.zip', bytes);
    expect(files).toEqual([{ name: 'aws.csv', text: 'x' }]);
    expect(skipped).toEqual(['../evil.csv', 'deep/gcp.csv', '/etc/passwd.csv', 'a.txt']);
  });

  test('that would become too large is given up on, whatever size it says it has', () => {
    const bytes = zip({ 'aws.csv': '0'.repeat(3 * 2 ** 20) });
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(22, 10, true);
    expect(() => readZip('bomb.zip', bytes, 2 ** 20)).toThrow(
      'bomb.zip cannot be read: it holds more than 1 MiB',
    );
  });

  test('with too many files is given up on', () => {
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`c${index}.csv`, '']));
    expect(() => readZip('many.zip', zip(many))).toThrow('more than 100 files');
  });

  test('that is cut off anywhere is no zip', () => {
    const bytes = zip({ 'aws.csv': 'a,b\n'.repeat(1000), 'gcp.csv': 'c,d\n'.repeat(1000) });
    for (let length = 0; length < bytes.length; length += 7) {
      expect(() => readZip('cut.zip', bytes.subarray(0, length))).toThrow('cut.zip cannot be read');
    }
  });
});

describe('the published location', () => {
  let server: Server;
  let url: string;
  let pages: Map<string, string | Uint8Array>;
  let asked: string[];
  let minute: number;

  beforeEach(async () => {
    pages = new Map();
    asked = [];
    minute = 0;
    server = createServer((request, response) => {
      const path = request.url ?? '';
      asked.push(path);
      const page = pages.get(path);
      response.writeHead(page === undefined ? 404 : 200).end(page);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v3`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  function publish(provider: string, version: string, ...machines: readonly Machine[]): void {
    pages.set(`/v3/${provider}/version`, `${version}\n`);
    pages.set(`/v3/${provider}/${version}/catalog.zip`, zip({ [`${provider}.csv`]: list(...machines) }));
  }

  const read = (network = true) => readPublished({ url, cacheDir: dir, network, now: () => minute * 60_000 });
  const open = (network = true) => openCatalog({ kind: 'published', url, cacheDir: dir, network });
  const downloads = () => asked.filter((path) => path.endsWith('catalog.zip'));
  const instances = async () => (await read()).rows.map(({ instance }) => instance);

  test('gives the lists of the clouds it has, with their versions', async () => {
    publish('aws', '20261101-7', ['m5.large', 'us-east-1', 0.1]);
    publish('lambdalabs', '20261103-9', ['cpu_4x', 'us-west-1', 0.2]);
    const loaded = await open();
    expect(loaded).toMatchObject({ source: 'catalog', date: '2026-11-03', bad: [], notes: [] });
    expect(loaded.providers).toEqual([
      { backend: 'aws', rows: 1, version: '20261101-7' },
      { backend: 'lambda', rows: 1, version: '20261103-9' },
    ]);
  });

  test('is asked again after 15 minutes, and only a new version is fetched', async () => {
    publish('aws', '20261101-7', ['old', 'r', 1]);
    publish('gcp', '20261101-7', ['same', 'r-a', 1]);
    await read();
    publish('aws', '20261101-8', ['new', 'r', 1]);
    asked = [];
    minute = 14;
    expect(await instances()).toEqual(['old', 'same']);
    expect(asked).toEqual([]);
    minute = 15;
    expect(await instances()).toEqual(['new', 'same']);
    expect(downloads()).toEqual(['/v3/aws/20261101-8/catalog.zip']);
  });

  test('that gives a broken zip costs nothing: the older list stays, and it is said', async () => {
    publish('aws', '1', ['old', 'r', 1]);
    await read();
    publish('aws', '2', ['new', 'r', 1]);
    pages.set('/v3/aws/2/catalog.zip', '<html>Sorry</html>');
    minute = 15;
    const { rows, notes } = await read();
    expect(rows.map(({ instance }) => instance)).toEqual(['old']);
    expect(notes).toEqual([
      expect.stringMatching(/for aws failed: catalog\.zip cannot be read.*; older prices/),
    ]);
    pages.set('/v3/aws/2/catalog.zip', zip({ 'aws.csv': list(['new', 'r', 1]) }));
    minute = 16;
    expect(await instances()).toEqual(['new']);
  });

  test.each([
    ['of another cloud', { 'gcp.csv': list(['x', 'r', 1]) }],
    ['without a price', { 'aws.csv': list() }],
  ])('that gives a list %s keeps the older one', async (_, files) => {
    publish('aws', '1', ['old', 'r', 1]);
    await read();
    publish('aws', '2');
    pages.set('/v3/aws/2/catalog.zip', zip(files));
    minute = 15;
    expect(await read()).toMatchObject({
      rows: [{ instance: 'old' }],
      notes: [expect.stringContaining('no prices of it')],
    });
  });

  test('that is down is made up for by what was read before, and asked again a minute later', async () => {
    publish('aws', '20261101-7', ['old', 'r', 1]);
    await open();
    for (const name of pages.keys()) if (name.endsWith('version')) pages.set(name, '');
    minute = 15;
    const { rows, notes } = await read();
    expect([rows.length, notes]).toEqual([1, [expect.stringContaining('older prices are used')]]);
    asked = [];
    expect((await read()).notes).toEqual(notes);
    expect(asked).toEqual([]);
    minute = 16;
    publish('aws', '20261102-1', ['new', 'r', 1]);
    expect(await instances()).toEqual(['new']);
  });

  test('that nobody answers at is said once for all clouds', async () => {
    await new Promise((resolve) => server.close(resolve));
    const { source, notes } = await open();
    expect([source, notes]).toEqual(['snapshot', [`asking ${url} failed: ECONNREFUSED`]]);
  });

  test('of which nothing was ever read leaves the snapshot, with its date', async () => {
    const { source, date, notes, catalog } = await open();
    expect([source, date]).toEqual(['snapshot', expect.stringMatching(/^20\d\d-\d\d-\d\d$/)]);
    expect(catalog.size).toBeGreaterThan(1000);
    expect(notes).toEqual([expect.stringContaining('it answered 404')]);
  });

  test('is not asked without leave: what was read before will do, else the snapshot', async () => {
    publish('aws', '20991101-7', ['m5.large', 'us-east-1', 0.1]);
    expect((await open(false)).source).toBe('snapshot');
    expect(asked).toEqual([]);
    await open();
    asked = [];
    expect(await open(false)).toMatchObject({ source: 'catalog', date: '2099-11-01' });
    expect(asked).toEqual([]);
  });

  test('of which only older prices than the snapshot has were read leaves the snapshot', async () => {
    publish('aws', '20200101-7', ['m5.large', 'us-east-1', 0.1]);
    expect((await open()).date).toBe('2020-01-01');
    expect((await open(false)).source).toBe('snapshot');
  });

  test('keeps whole files or none, and starts anew where they are damaged', async () => {
    publish('aws', '1', ['good', 'r', 1]);
    await read();
    const [folder = ''] = readdirSync(dir);
    expect(readdirSync(join(dir, folder)).sort()).toEqual(['VISIT.json', 'aws.json']);
    for (const name of readdirSync(join(dir, folder)))
      writeFileSync(join(dir, folder, name), '{"form":1,"con');
    asked = [];
    expect(await instances()).toEqual(['good']);
    expect(downloads()).toEqual(['/v3/aws/1/catalog.zip']);
  });

  test('gives its lists where they cannot be kept', async () => {
    publish('aws', '1', ['good', 'r', 1]);
    put('file', '');
    const { rows, notes } = await readPublished({ url, cacheDir: join(dir, 'file'), network: true });
    expect([rows.length, notes]).toEqual([1, []]);
  });
});

describe('which of them', () => {
  const env = { HOME: '/home/me' };

  test('a folder that is named comes before what the environment says', () => {
    const both = { ...env, TRUEUP_CATALOG_DIR: '/lists', TRUEUP_CATALOG_URL: 'https://lists.example/v3/' };
    expect(catalogFrom(both, { dir: 'mine' })).toEqual({ kind: 'folder', dir: 'mine' });
    expect(catalogFrom(both)).toEqual({ kind: 'folder', dir: '/lists' });
    expect(catalogFrom(both, { network: true })).toMatchObject({ url: 'https://lists.example/v3' });
  });

  test('the network is used only where somebody asked for it', () => {
    expect(catalogFrom(env)).toMatchObject({ kind: 'published', network: false });
    expect(catalogFrom(env, { network: true })).toMatchObject({ network: true });
    expect(catalogFrom({ ...env, TRUEUP_CATALOG_URL: 'https://a.example' })).toMatchObject({ network: true });
    expect(
      catalogFrom({ ...env, TRUEUP_CATALOG_URL: 'https://a.example' }, { network: false }),
    ).toMatchObject({
      network: false,
    });
  });

  test('what was read is kept where the user keeps such things', () => {
    expect(catalogFrom(env)).toMatchObject({ cacheDir: '/home/me/.cache/trueup/catalog' });
    expect(catalogFrom({ ...env, XDG_CACHE_HOME: '/var/tmp/me' })).toMatchObject({
      cacheDir: '/var/tmp/me/trueup/catalog',
    });
    expect(catalogFrom({ ...env, XDG_CACHE_HOME: 'relative' })).toMatchObject({
      cacheDir: '/home/me/.cache/trueup/catalog',
    });
  });

  test.each([
    'lists.example',
    'file:///etc',
    'https://user:word@lists.example',
    'https://lists.example?key=word',
  ])('%s is no address of price lists, and is not repeated', (url) => {
    const open = () => catalogFrom({ TRUEUP_CATALOG_URL: url });
    expect(open).toThrow('TRUEUP_CATALOG_URL is not an address of price lists');
    expect(open).not.toThrow('word');
  });
});
