// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration language look like that
// Each deliberate difference from the reference holds: what is judged otherwise by its lines, the others by tests of their own.
import { describe, expect, test } from 'vitest';
import { parseFile } from '../../reconciler/source/parse.ts';
import { DIFFERENCES } from '../../schemas/differences.ts';
import { revisionOf } from '../../schemas/identity.ts';
import { MAX_BYTES } from '../../schemas/yaml.ts';
import { MAX_WORDS } from '../../schemas/yaml-compose.ts';
import { MAX_DEPTH, MAX_VALUES } from '../../schemas/yaml-tree.ts';

const BASE = 'type: service\nname: web\nport: 80\nimage: nginx\n';

function parse(lines: string) {
  return parseFile({ path: 'web.dstack.yml', text: `${BASE}${lines}\n` }, { root: '', profiles: null });
}

function messages(lines: string): string[] {
  return parse(lines).problems.map(({ severity, message }) => `${severity}: ${message}`);
}

describe('judged otherwise', () => {
  test.each(DIFFERENCES.flatMap((each) => (each.lines === undefined ? [] : [[each.here, each] as const])))(
    '%s',
    (_here, { lines = '', accepted }) => {
      expect([lines, parse(lines).ok]).toEqual([lines, accepted]);
    },
  );
});

const MEANINGS: { readonly [id: string]: () => void } = {
  limits: () => {
    expect([MAX_BYTES, MAX_WORDS, MAX_VALUES, MAX_DEPTH]).toEqual([1_000_000, 30_000, 100_000, 64]);
  },
  fleets: () => {
    const problems = (lines: string) =>
      parseFile({ path: 'f.dstack.yml', text: `type: fleet\n${lines}\n` }, { root: '', profiles: null })
        .problems;
    expect(problems('ssh_config: {hosts: [h], port: 0}')[0]?.message).toBe('`0` is below 1');
    expect(problems('nodes: 1\nretry: {duration: -1}')[0]?.message).toBe('a duration cannot be negative');
    expect(problems('ssh_config: {hosts: [h], ssh_key: null}')[0]?.message).toBe(
      '`ssh_key` is not a known key',
    );
  },
  'empty-image': () => {
    const text = 'type: service\nname: web\nport: 80\ncommands: [a]\nimage: ""\nresources: {gpu: MI300X}\n';
    const { problems } = parseFile({ path: 'web.dstack.yml', text }, { root: '', profiles: null });
    expect(problems[0]?.message).toBe('the default image does not support amd accelerators');
  },
  replacement: () => {
    expect(messages('env: {A: caf\uFFFD}')).toEqual(['error: this is not UTF-8']);
  },
  slashes: () => {
    expect(parse('volumes: ["//a:/b"]').configuration?.volumes).toEqual([
      { instance_path: '/a', path: '/b', optional: false },
    ]);
  },
  weekdays: () => {
    expect(messages('schedule: {cron: "0 8 * * 1"}')).toEqual([
      expect.stringContaining('from Sunday (0) here'),
    ]);
    expect(messages('schedule: {cron: "0 8 * * mon"}')).toEqual([]);
  },
  defaults: () => {
    const revision = (lines: string) => revisionOf(parse(lines).sparse ?? {});
    expect(revision('auth: true\nreplicas: 1\nhttps: true')).toBe(revision(''));
  },
  'stop-duration': () => {
    expect(parse('').spec?.stopMs).toBe(10_000);
    expect(parse('stop_duration: 5m').spec?.stopMs).toBe(300_000);
  },
  secrets: () => {
    expect(messages('probes: [{type: http, url: "/${{ secrets.X }}"}]')).toEqual([]);
  },
  arguments: () => {
    expect(parse('commands: ["serve ${{ run.args }}"]').spec?.groups[0]?.process.commands).toEqual([
      'serve ',
    ]);
  },
  repository: () => {
    expect(messages('files: [../x]')).toEqual(['error: `../x` is outside the repository']);
  },
};

describe('read otherwise', () => {
  test.each(DIFFERENCES.flatMap(({ id, here, lines }) => (lines === undefined ? [[here, id]] : [])))(
    '%s',
    (_here, id) => {
      expect(Object.keys(MEANINGS)).toContain(id);
      MEANINGS[id as string]?.();
    },
  );
});
