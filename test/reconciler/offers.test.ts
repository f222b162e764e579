// `trueup offers` as people and scripts meet it: the real program as a child process, without server and network.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { exclusionSchema, offerSchema } from '../../schemas/plan.ts';

const CLI = resolve(import.meta.dirname, '../../reconciler/trueup.mjs');

const marketSchema = z.object({
  offers: z.array(offerSchema),
  total: z.int(),
  excluded: z.array(exclusionSchema),
});
const documentSchema = marketSchema.extend({
  groups: z.array(marketSchema.extend({ name: z.string() })),
  source: z.enum(['live', 'catalog', 'snapshot']),
  date: z.string().nullable(),
  bad: z.array(z.object({ file: z.string(), line: z.int(), message: z.string() })),
  badTotal: z.int(),
});

const AWS = `instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size,gpu_vendor,flags,cpu_arch,provider_data
m5.large,us-east-1,0.096,2,8.0,0,,,False,,,,x86,{}
m5.large,us-east-2,0.096,2,8.0,0,,,False,,,,x86,{}
m5.large,eu-west-1,0.107,2,8.0,0,,,False,,,,x86,{}
t4g.large,us-east-1,0.0672,2,8.0,0,,,False,,,,arm,{}
g5.xlarge,us-east-1,1.006,4,16.0,1,A10G,22.35,False,,nvidia,,x86,{}
g5.xlarge,us-east-1,0.4125,4,16.0,1,A10G,22.35,True,,nvidia,,x86,{}
g6.xlarge,us-east-1,0.8048,4,16.0,1,L4,24.0,False,,nvidia,,x86,{}
p5.48xlarge,us-east-1,55.04,192,2048.0,8,H100,80.0,False,,nvidia,,x86,{}
`;

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trueup-offers-'));
  mkdirSync(join(folder, 'lists'));
  writeFileSync(join(folder, 'lists', 'aws.csv'), AWS);
  put('web.dstack.yml', 'type: service\nname: web\nport: 80\ncommands: [a]\nresources: {gpu: 24GB}\n');
  put(
    'llm.dstack.yml',
    `type: service
name: llm
port: 8000
image: vllm/vllm-openai
groups:
  - {name: prefill, count: 1, commands: [a], resources: {gpu: H100:8}}
  - {name: decode, count: 2, commands: [b], resources: {gpu: L4}}
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function put(name: string, content: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), content);
}

async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const own = { PATH: process.env.PATH, HOME: folder, XDG_CACHE_HOME: join(folder, 'cache'), ...env };
  const child = spawn(process.execPath, [CLI, 'offers', ...args], { cwd: folder, env: own });
  child.stdin.end();
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code: code as number | null, out, err };
}

/** By the lists of this test. */
function runHere(...args: readonly string[]) {
  return run([...args, '--catalog', 'lists']);
}

async function offersOf(...args: readonly string[]) {
  const { out, err, code } = await runHere(...args, '--json');
  expect(err).toBe('');
  return { ...documentSchema.parse(JSON.parse(out)), code };
}

async function instancesOf(...args: readonly string[]) {
  return (await offersOf(...args)).offers.map(({ instance }) => instance);
}

describe('for what flags ask', () => {
  test('the cheapest come first, in the promised shape', async () => {
    const { offers, total, source, date, code } = await offersOf('--gpu', '20GB..', '--spot', 'auto');
    expect(offers.map(({ instance, spot, price }) => [instance, spot, price])).toEqual([
      ['g5.xlarge', true, 0.4125],
      ['g6.xlarge', false, 0.8048],
      ['g5.xlarge', false, 1.006],
      ['p5.48xlarge', false, 55.04],
    ]);
    expect(offers[0]).toEqual({
      backend: 'aws',
      region: 'us-east-1',
      instance: 'g5.xlarge',
      resources: {
        cpus: 4,
        arch: 'x86',
        memoryGib: 16,
        diskGib: 100,
        gpus: [{ name: 'A10G', vendor: 'nvidia', memoryGib: 22.35 }],
      },
      spot: true,
      price: 0.4125,
      availability: 'unknown',
    });
    expect([total, source, date, code]).toEqual([4, 'catalog', null, 0]);
  });

  test('each flag keeps out what it is meant to', async () => {
    expect(await instancesOf('--gpu', 'L4')).toEqual(['g6.xlarge']);
    expect(await instancesOf('--gpu', 'L4,H100', '--max-price', '10')).toEqual(['g6.xlarge']);
    expect(await instancesOf('--spot', 'spot')).toEqual(['g5.xlarge']);
    expect(await instancesOf('--cpu', 'arm:2..')).toEqual(['t4g.large']);
    expect(await instancesOf('--memory', '1TB..')).toEqual(['p5.48xlarge']);
    expect(await instancesOf('--gpu', '0', '--region', 'eu-west-1')).toEqual(['m5.large']);
    expect(await instancesOf('--backend', 'gcp')).toEqual([]);
    expect(await instancesOf('--backend', 'gcp', '--backend', 'aws', '--gpu', 'H100:8')).toHaveLength(1);
    expect(await instancesOf('--max-offers', '2')).toHaveLength(2);
  });

  test('clouds may be named as price lists name them, and several at once', async () => {
    expect(await instancesOf('--backend', 'gcp,AWS', '--gpu', 'H100:8')).toEqual(['p5.48xlarge']);
    expect(await instancesOf('--region', 'eu-west-1,EU-WEST-2', '--gpu', '0')).toEqual(['m5.large']);
    put('lambda/lambdalabs.csv', AWS);
    const { out } = await run(['--catalog', 'lambda', '--backend', 'lambdalabs', '--gpu', 'L4', '--json']);
    expect(JSON.parse(out)).toMatchObject({ offers: [{ backend: 'lambda' }], total: 1 });
  });

  test('lines that cannot be read are counted, and the first hundred named', async () => {
    put('half/aws.csv', `${AWS}${'m5.large,us-east-1,free,2,8.0,0,,,False,,,,x86,{}\n'.repeat(150)}`);
    const { out, err, code } = await run(['--catalog', 'half', '--gpu', 'L4', '--json']);
    const { bad, badTotal, total } = documentSchema.parse(JSON.parse(out));
    expect([bad.length, badTotal, total, code]).toEqual([100, 150, 1, 0]);
    expect(bad[0]).toMatchObject({
      file: 'aws.csv',
      line: 10,
      message: '`price` is "free", which is not an amount',
    });
    expect(err).toBe(
      'note: aws.csv:10 is left out: `price` is "free", which is not an amount, and 149 more lines\n',
    );
  });

  test('a mistake is told in the words of the configuration language, by the flag', async () => {
    const { code, out, err } = await runHere('--gpu', 'A100:', '--memory', '16G', '--backend', 'awz');
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('--gpu: `A100:` has an empty part');
    expect(err).toContain('--memory: `16G` is not a size. Write a number with MB, GB or TB, here `16GB`');
    expect(err).toContain('--backend: `awz` is not known. Did you mean `aws`?');
  });

  test('what is allowed and hardly meant is told, and answered', async () => {
    const { code, err } = await runHere('--gpu', 'A100:80', '--json');
    expect([code, err]).toEqual([
      1,
      '--gpu: this asks for 80 GPUs in one machine. Write the memory (`80GB`) if you meant that.\n',
    ]);
  });

  test.each([
    [['--max-price', '-1'], '--max-price: `-1` is not a number above 0'],
    [['--backend', 'nosuch'], '--backend: `nosuch` is not known. Write `amddevcloud`, `aws`'],
    [['--spot', 'maybe'], 'Allowed choices are auto, spot, on-demand'],
    [['--max-offers', '0'], 'from 1 to 10000'],
    [['--online', '--offline'], 'cannot be used with'],
    [['-f', 'nowhere.dstack.yml'], 'there is no file or folder'],
    [['-f', 'lists'], 'lists is a folder'],
    [['surplus'], 'too many arguments'],
  ])('%j is wrong usage', async (args, message) => {
    const { code, out, err } = await runHere(...args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
  });

  test('lists that are not there are wrong usage too', async () => {
    const { code, err } = await run(['--catalog', 'nowhere']);
    expect([code, err]).toEqual([2, expect.stringContaining('there is no such folder')]);
  });

  test('for a plan as well', () => {
    const args = [CLI, 'plan', '--offline', '--catalog', 'nowhere', 'llm.dstack.yml'];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    expect([status, stderr]).toEqual([2, expect.stringContaining('there is no such folder')]);
  });
});

describe('for a file', () => {
  test('every group has offers of its own, those of the first also on top', async () => {
    const { offers, total, groups, code } = await offersOf('-f', 'llm.dstack.yml');
    expect(groups.map(({ name, offers: own }) => [name, own.map(({ instance }) => instance)])).toEqual([
      ['prefill', ['p5.48xlarge']],
      ['decode', ['g6.xlarge']],
    ]);
    expect([offers[0]?.instance, total, code]).toEqual(['p5.48xlarge', 1, 0]);
  });

  test('flags go before what it says, also where they say a default', async () => {
    expect(await instancesOf('-f', 'web.dstack.yml')).toEqual(['g6.xlarge']);
    expect(await instancesOf('-f', 'web.dstack.yml', '--gpu', 'A10G', '--spot', 'spot')).toEqual([
      'g5.xlarge',
    ]);
    expect(await instancesOf('-f', 'web.dstack.yml', '--gpu', '0..')).toContain('m5.large');
  });

  test('one group without an offer makes the answer no', async () => {
    const { code, groups } = await offersOf('-f', 'llm.dstack.yml', '--max-price', '10');
    expect([code, groups.map(({ total }) => total)]).toEqual([1, [0, 1]]);
  });

  test('that is wrong is shown where it is wrong', async () => {
    put('bad.dstack.yml', 'type: service\nname: bad\nport: eighty\ncommands: [a]\n');
    const { code, out, err } = await runHere('-f', 'bad.dstack.yml', '--json');
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('bad.dstack.yml:3:7\n  3 | port: eighty');
  });

  test('that is no service is told apart', async () => {
    put('job.dstack.yml', 'type: task\ncommands: [a]\n');
    const { code, err } = await runHere('-f', 'job.dstack.yml');
    expect([code, err]).toEqual([2, expect.stringContaining('is a task')]);
  });
});

describe('the table', () => {
  test('shows the same thing in several regions once, and how many there are in all', async () => {
    const { out, code } = await runHere('--max-offers', '2');
    expect(out.split('\n').slice(2, 7)).toEqual([
      'WHERE             INSTANCE     CPU  MEMORY  $/HOUR  $/MONTH',
      'aws us-east-1     t4g.large  arm:2     8GB  0.0672       49',
      'aws us-east-1 +1  m5.large       2     8GB  0.0960       70',
      '… 3 of 7 offers',
      '',
    ]);
    expect(out).toContain('Prices of the lists given, not live.');
    expect(code).toBe(0);
  });

  test('marks spot', async () => {
    const { out } = await runHere('--gpu', 'A10G', '--spot', 'auto');
    expect(out).toMatch(/A10G:22\.4GB:1 +0\.4125 +301 +spot\n/);
    expect(out).toMatch(/A10G:22\.4GB:1 +1\.0060 +734\n/);
  });

  test('says which single requirement keeps out how many, nearest miss first', async () => {
    const { out, code } = await runHere('--gpu', 'A10G', '--max-price', '0.9');
    expect(out).toContain('No offer matches.\n  1 offer needs `max_price` ≥ 1.01\n');
    expect(out).toContain('\n  1 offer would do without `spot_policy` (nearest: auto)\n');
    expect(code).toBe(1);
  });

  test('names the groups of a service', async () => {
    const { out } = await runHere('-f', 'llm.dstack.yml');
    expect(out).toMatch(/^llm \/ prefill\n.*gpu H100:8.*\n\n/);
    expect(out).toMatch(/\nllm \/ decode\n.*gpu L4:1\.\./);
  });

  test('says what several replicas come to', async () => {
    const { out } = await runHere('-f', 'llm.dstack.yml');
    expect(out).toContain('\n2 replicas on the cheapest: $1.61/h $1,175/month\n');
    expect(out).not.toContain('\n1 replica');
    expect(out).toContain('\nall 2 groups on the cheapest: $56.65/h $41,354/month\n');
    expect((await runHere('-f', 'llm.dstack.yml', '--max-price', '9')).out).not.toContain('groups on');
    const { groups } = JSON.parse((await runHere('-f', 'llm.dstack.yml', '--json')).out);
    expect(groups[1]).toMatchObject({ replicas: { min: 2, max: 2 }, pricePerReplica: 0.8048 });
  });

  test('fits 80 columns whatever there is, and is as wide as the terminal where there is more', async () => {
    const args = ['--gpu', 'H100:8', '--spot', 'auto'];
    const { out } = await run(args);
    expect(out).toBe(stripVTControlCharacters(out));
    expect(Math.max(...out.split('\n').map((each) => each.length))).toBeLessThanOrEqual(80);
    expect((await run(args, { COLUMNS: '120' })).out).toContain('$/MONTH');
    expect((await run(args, { FORCE_COLOR: '1' })).out).toContain('\x1b[33mspot');
  });
});

describe('where prices come from', () => {
  test('without anything they are those that trueup brings along, and it says so', async () => {
    const { out, err, code } = await run(['--gpu', 'H100:8', '--json']);
    const { source, date, total } = documentSchema.parse(JSON.parse(out));
    expect([source, date, err, code]).toEqual(['snapshot', expect.stringMatching(/^\d{4}-/), '', 0]);
    expect(total).toBeGreaterThan(50);
    const { out: table } = await run(['--gpu', 'H100:8']);
    expect(table).toContain(`Prices of ${date} or earlier, brought along with trueup: not live.`);
    expect(table).toMatch(/By backend: .*runpod 2025-07-13/);
  });

  test('a folder can be named once for all', async () => {
    const { out } = await run(['--json'], { TRUEUP_CATALOG_DIR: 'lists' });
    expect(documentSchema.parse(JSON.parse(out))).toMatchObject({ source: 'catalog', total: 7 });
  });

  test('a location that is down is said beside the prices, not among them', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v3`;
    server.close();
    const { out, err, code } = await run(['--json'], { TRUEUP_CATALOG_URL: url });
    expect(documentSchema.parse(JSON.parse(out)).source).toBe('snapshot');
    expect([code, err]).toEqual([0, `note: asking ${url} failed: ECONNREFUSED\n`]);
  });

  test('an address that is none is wrong usage', async () => {
    const { code, err } = await run([], { TRUEUP_CATALOG_URL: 'prices' });
    expect([code, err]).toEqual([2, expect.stringContaining('TRUEUP_CATALOG_URL is not an address')]);
  });

  test('lines that cannot be read are left out and counted', async () => {
    mkdirSync(join(folder, 'odd'));
    writeFileSync(join(folder, 'odd', 'aws.csv'), `${AWS}a,r,free,2,8,0,,,False,,,,x86,{}\nb,r\n`);
    const { out, err } = await run(['--catalog', 'odd', '--json']);
    expect(documentSchema.parse(JSON.parse(out)).bad.map(({ line }) => line)).toEqual([10, 11]);
    expect(err).toMatch(/^note: aws\.csv:10 is left out: .*, and 1 more line\n$/);
  });

  test('help says it all', async () => {
    const { code, out } = await run(['--help']);
    expect(code).toBe(0);
    for (const word of [
      '$ trueup offers -f web.dstack.yml',
      '--online',
      'TRUEUP_CATALOG_URL',
      'memory 8GB..',
    ]) {
      expect(out).toContain(word);
    }
  });
});
