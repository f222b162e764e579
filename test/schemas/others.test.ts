// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration language look like that
// What is read and checked beside services: tasks, dev environments, fleets, volumes, gateways, presets.
import { describe, expect, test } from 'vitest';
import { parseConfiguration } from '../../schemas/configuration.ts';
import { onlyRetired } from '../../schemas/retired.ts';

function said(text: string): string[] {
  return parseConfiguration(text).findings.map(
    ({ severity, path, message }) => `${severity} ${path}: ${message}`,
  );
}

test.each([
  ['a task', 'type: task\ncommands: [x]\nports: [8080, "*:9000"]\nnodes: 2'],
  ['a task of groups', 'type: task\ngroups: [{name: a, commands: [x]}, {nodes: 2, commands: [y]}]'],
  ['a dev environment', 'type: dev-environment\nide: vscode\ninit: [x]\ninactivity_duration: 2h'],
  [
    'a fleet of a cloud',
    'type: fleet\nname: pool\nnodes: {min: 0, target: 1, max: 4}\nresources: {gpu: 24GB..}\nplacement: any',
  ],
  [
    'a fleet of hosts',
    'type: fleet\nname: pool\nssh_config: {user: u, identity_file: f, network: 10.0.0.0/8, hosts: [10.0.0.1, {hostname: b, internal_ip: 10.0.0.2, blocks: auto}]}',
  ],
  ['a volume', 'type: volume\nname: data\nbackend: aws\nregion: r\nsize: 100GB\nauto_cleanup_duration: off'],
  [
    'a volume of Kubernetes',
    'type: volume\nname: data\nbackend: kubernetes\nsize: 1GB\naccess_modes: [ReadWriteMany]',
  ],
  [
    'a gateway',
    'type: gateway\nname: edge\nbackend: aws\nregion: r\ndomain: "*.example.org"\ncertificate: {type: acm, arn: a}\nreplicas: 2',
  ],
  [
    'a preset',
    'type: preset\nmodel: {repo: a/b, name: c}\nprompt: {path: p.md}\ntrials: 2\nregions: [r]\nenv: [T]',
  ],
  ['a preset in short', 'type: preset\nbase: a/b\ndataset: sharegpt\ngateway: edge'],
])('%s is right', (_what, text) => {
  expect(said(text)).toEqual([]);
});

test.each([
  ['type: fleet\nnodes: 1\nblocks: automatic', 'error blocks: `automatic` is neither a number nor `auto`'],
  ['type: preset', 'error : a preset needs a `model`'],
  ['type: preset\nmodel: " "', 'error model: this is empty'],
  ['type: preset\nrepo: a\nbase: b', 'error base: `base` and `repo` exclude each other'],
  ['type: preset\nrepo: a\nmodel: b', 'error repo: `repo` and `model` exclude each other'],
  ['type: preset\nmodel: a\nanything: [goes]', 'error anything: `anything` is not a known key'],
  ['type: preset\nmodel: a\ntrials: 0', 'error trials: `0` is below 1'],
  [
    'type: preset\nmodel: a\ndataset: x\ninput_tokens: 5',
    'error input_tokens: `input_tokens` and `dataset` exclude each other',
  ],
  [
    'type: preset\nmodel: a\nshared_prefix_tokens: 1024',
    'error shared_prefix_tokens: what is shared is not less than the 1024 tokens of a request',
  ],
  ['type: task\nnodes: 2', 'error : a task needs `commands` or `image`'],
  ['type: task\ncommands: [x]\nnodes: 0', 'error nodes: `0` is below 1'],
  [
    'type: task\ncommands: [x]\ngroups: [{commands: [y]}]',
    'error commands: `commands` does not belong beside groups',
  ],
  ['type: task\ncommands: ["${{ env.A }}"]', 'error commands[0]: `${{ env.A }}` cannot be used in commands'],
  [
    'type: task\ncommands: ["${{ groups[0].nodes[1].IP_ADDRESS }}"]',
    'error commands[0]: `${{ groups[0].nodes[1].IP_ADDRESS }}` names a replica that need not be there',
  ],
  [
    'type: task\ncommands: [x]\nenv: {A: "${{ env.B }}"}',
    'error env.A: `${{ env.B }}` cannot be used in `env`',
  ],
  [
    'type: task\ncommands: [x]\nregistry_auth: {username: a, password: "${{ env.B }}"}',
    'error registry_auth.password: `env` has no variable `B`',
  ],
  [
    'type: dev-environment\nvolumes: ["a${{ env.X }}:/b"]',
    "error volumes[0]: `${{ env.X }}` cannot be used in a volume's name",
  ],
  ['type: dev-environment\nentrypoint: x', 'error entrypoint: a dev environment has no `entrypoint`'],
  [
    'type: dev-environment\ndstack: true\ninactivity_duration: 1h',
    'error inactivity_duration: `dstack: true` counts as activity',
  ],
  ['type: fleet\nnodes: 4..2', 'error nodes: `max` is below `min`'],
  ['type: fleet\nnodes: {min: 2, target: 1}', 'error nodes.target: `target` is below `min`'],
  [
    'type: fleet\nssh_config: {hosts: [{hostname: a, internal_ip: 8.8.8.8}]}',
    'error ssh_config.hosts[0].internal_ip: `8.8.8.8` is not a private IP address',
  ],
  [
    'type: fleet\nssh_config: {hosts: [a], network: 8.8.8.0/24}',
    'error ssh_config.network: `8.8.8.0/24` is not a private network',
  ],
  [
    'type: fleet\nnodes: 1\nssh_config: {hosts: [a]}',
    'warning ssh_config: `nodes` and `ssh_config` exclude each other',
  ],
  ['type: fleet\nname: x2', 'warning : a fleet needs `nodes` or `ssh_config`'],
  ['type: volume\nbackend: azure\nregion: r', 'error backend: `backend` cannot be `azure`'],
  ['type: volume\nbackend: aws', 'error region: `region` is missing'],
  ['type: volume\nbackend: aws\nregion: r', 'warning : a new volume needs a `size`'],
  [
    'type: volume\nbackend: aws\nregion: r\nvolume_id: v\nauto_cleanup_duration: 1h',
    'warning auto_cleanup_duration: a volume that existed before is not cleaned up',
  ],
  [
    'type: volume\nbackend: aws\nregion: r\nsize: 1GB\nauto_cleanup_duration: 1h',
    'warning auto_cleanup_duration: `auto_cleanup_duration` has no effect: a volume is never deleted',
  ],
  [
    'type: fleet\nnodes: 2\nplacement: cluster',
    'warning placement: `placement: cluster` has no effect yet: each machine is wherever it is cheapest',
  ],
  ['type: gateway\nbackend: aws', 'error region: `region` is missing'],
  ['type: gateway\nbackend: aws\nregion: r\nrouter: sglang', 'error router: `router` is not a known key'],
  [
    'type: gateway\nbackend: aws\nregion: r\nreplicas: 4\ncertificate: null',
    'warning replicas: a gateway has at most 3 replicas',
  ],
  [
    'type: gateway\nbackend: aws\nregion: r\nreplicas: 2',
    "warning replicas: Let's Encrypt certificates work for one replica only",
  ],
])('%j', (text, expected) => {
  expect(said(text)).toContain(expected);
});

test('nodes of a task may be named by their place', () => {
  expect(
    said('type: task\nnodes: 2\ncommands: ["ping ${{ groups[0].nodes[1].IP_ADDRESS }} ${{ run.args }}"]'),
  ).toEqual([]);
});

describe('retired backends', () => {
  test('are read, with a warning that says since when', () => {
    expect(said('type: service\nport: 80\nimage: x\nbackends: [aws, cudo]')).toEqual([
      'warning backends[1]: `cudo` was retired on 2026-07-09: nothing runs there any more',
    ]);
  });

  test('are no place to run when no other is left', () => {
    expect(onlyRetired(['cudo', 'tensordock'])?.message).toBe(
      'no backend is left: `cudo` was retired on 2026-07-09, `tensordock` was retired on 2025-11-25',
    );
    expect([onlyRetired(null), onlyRetired([]), onlyRetired(['cudo', 'aws'])]).toEqual([null, null, null]);
  });
});
