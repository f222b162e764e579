// What the manual of the policy says beside its tables: where the file lies, what waits for what, and how to loosen.

export const POLICY_FOREWORD = `
# Policy

<!-- Made by \`npm run docs\` from schemas/. Do not edit. -->

\`trueup.yml\` at the root of the watched folder says how services are rolled out, what may be changed when, for how much,
and what may be removed. It is optional, and so is each of its keys. What belongs to the server (credentials, secrets,
addresses, who may approve) is not in it, but in the server's configuration.

\`\`\`yaml
# yaml-language-server: $schema=trueup.schema.json
rollout:
  surge: 1
  on_failure: rollback
windows:
  - schedule: 0 22 * * mon-fri
    duration: 4h
    timezone: Europe/Berlin
  - schedule: 0 0 24 dec *
    duration: 3d
    kind: deny
budget: 40
deletion_budget: {services: 3, per_hour: 10}
services:
  llama:
    budget: 12.5
    rollout: {surge: 0, unavailable: 1}
\`\`\`

The first line makes an editor with the YAML language server check and complete the file: it names
[schemas/trueup.schema.json](../schemas/trueup.schema.json). A commit whose \`trueup.yml\` has errors is applied under the
policy in force before, and removes nothing.
`;

export const POLICY_AFTERWORD = `
## What waits, and for what

A change of a service that may not be applied yet waits; what is in force meanwhile goes on and is healed. Each change is
asked about these in turn, and \`trueup why NAME\` names the first that objects:

| waits for | because | until |
| --- | --- | --- |
| \`suspended\` | \`suspend\` holds the service | \`suspend\` is lifted |
| \`approval\` | the server's \`apply\` is \`gated\`, and nobody has approved the commit | it is approved, or a newer commit takes its place |
| \`deletion-budget\` | its file is gone, with more others than \`deletion_budget\` lets one commit remove, or \`prune\` is \`false\` | \`prune: {allow: [...]}\` names it, or its file is back |
| \`budget\` | it would cost more than allowed, or nobody can say what it costs | it is cheaper, or the budget is raised |
| \`window\` | no window is open | the next one opens |

- **Suspension** leaves a service as it is: nothing new is rolled out, nothing is removed, and its status is \`suspended\`. A
  rollout that has begun goes on. \`suspend: false\` of a service excepts it from \`suspend\` of the folder.
- **Approval** is of whole commits: nothing of one that nobody approved counts, its \`trueup.yml\` neither. A commit that
  changes nothing needs none.
- **Removals** beyond the budget all wait: half of a mistake is still one. What \`prune\` names does not count, and goes at once.
- **Budgets** go by what a service costs at its highest number of replicas: what runs by what is paid for it, what does not
  yet by the cheapest offer now. Changes that cost no more than before never wait, whatever the budget; of the others,
  those that have waited longest go first. Nothing that runs is ever ended because of a budget. Machines that fleets keep
  beyond what services use count in the budget of all; no fleet is held back by it, but a plan warns of one that goes beyond.
- **Windows**: without any \`allow\` window for a service, its changes are applied at any time but within \`deny\`. \`deny\`
  always wins. Changes that touch nothing that runs (comments, \`rollout\`) need no window.

## Loosening

Budgets, windows, \`deletion_budget\` and \`prune\` hold for a commit as the one before had them, and as it has them itself:
what a commit tightens holds at once, what it loosens holds for what comes after it. So no commit can both make room and
use it by mistake, and one that tries says so (event \`policy-loosened\`). Loosen first, in a commit of its own: what
waited since an earlier commit is then applied.
`;
