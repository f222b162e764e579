// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration language look like that
// What the manual says beside its tables: how files are found and named, how values are written, which rules hold.

export const FOREWORD = `
# Configuration

<!-- Made by \`npm run docs\` from schemas/. Do not edit. -->

Every file whose name ends in \`.dstack.yml\` or \`.dstack.yaml\` below the watched folder is one configuration: one YAML
document with a \`type\`. A \`service\` is kept running. \`fleet\`, \`volume\` and \`gateway\` are what services depend on.
\`task\`, \`dev-environment\` and \`preset\` are checked and listed as not reconciled.

\`\`\`yaml
# yaml-language-server: $schema=dstack.schema.json
type: service
name: llama
port: 8000
commands:
  - vllm serve meta-llama/Llama-3.1-8B-Instruct
model: meta-llama/Llama-3.1-8B-Instruct
resources:
  gpu: 24GB..
\`\`\`

The first line makes an editor with the YAML language server check and complete the file: it names
[schemas/dstack.schema.json](../schemas/dstack.schema.json) by its path from the file, or by a URL. \`trueup validate PATH…\` checks files and folders as the daemon would, without it; \`--format json\` is
for programs, \`--format github\` for the annotations of a workflow run.

**Names.** A service without \`name\` is named by its path below the watched folder: \`team/web.dstack.yml\` is
\`team-web\`, \`team/.dstack.yml\` is \`team\`. Names have 2 to 41 lower-case letters, digits and \`-\`, and begin with a
letter. Two files that claim one name are both problems, and nothing changes for it.

**What a change does.** The tables of \`service\` and \`group\` say how a changed field is applied:

| a change | effect |
| --- | --- |
| route | requests are routed anew; no replica is touched |
| scale | the number of replicas or their lifetime changes; those that stay are kept |
| placement | replicas that satisfy the new placement are kept, the others replaced one by one |
| replace | replicas are replaced one by one |
| rename | the service under the new name is ready before the old one goes; replica by replica where there is no room for both |
`;

export const AFTERWORD = `
## Values

| kind | how it is written |
| --- | --- |
| text | Text. Numbers become text; \`true\`, \`null\` and dates need quotes. |
| true or false | \`true\`, \`false\`, and as YAML 1.1 has it \`yes\`, \`no\`, \`on\`, \`off\`. |
| duration | A whole number of seconds, or whole numbers with \`s\`, \`m\`, \`h\`, \`d\`, \`w\`, the largest first: \`90\`, \`90s\`, \`1h30m\`. \`off\` where there may be no limit. |
| size | A number with \`MB\`, \`GB\` or \`TB\` (of 1024), in any case; without a unit GB: \`512MB\`, \`16GB\`, \`1TB\`. |
| range | \`8\` is exactly 8, \`8..\` at least 8, \`..8\` at most 8, \`2..8\` from 2 to 8; or \`{min: 2, max: 8}\`. |
| cpu | A count or range, \`x86\` or \`arm\`, or both with a colon: \`4..\`, \`arm:8..\`. |
| gpu | Parts in any order with colons between: a vendor (\`nvidia\`, \`amd\`, \`google\` or \`tpu\`, \`intel\`, \`tenstorrent\` or \`tt\`), names (\`A100,H100\`), memory (\`24GB..\`), a count (\`2\`, \`1..8\`). |
| port | \`8000\`, \`"8000"\` or \`local:container\`. Only the container's side means something to a service. |
| variables | A list of \`NAME=value\` and \`NAME\`, or a mapping. A \`NAME\` alone takes its value from the secrets of the server. |
| volume | \`name:/path\` for a volume, \`/on/the/machine:/path\` for a folder of the machine. |
| file | \`path\`, or \`path:target\`. |
| repository | A path or a url, with \`:target\` behind it. Write a url with a port as \`url:\`. |
| cron expression | Minute, hour, day of month, month, day of week, in UTC: numbers, \`*\`, lists \`1,2\`, ranges \`1-5\`, steps \`*/5\`, names \`mon-fri\`, \`jan\`; \`last\` as day of month. |
| tags | Keys of at most 60 letters, digits, \`-\` and \`_\`; values of at most 256 letters, digits, blanks and \`.:/=_-+@\`. |

### References

\`\${{ namespace.name }}\` stands for a value; \`$$\` stands for one \`$\`.

| where | what may stand there |
| --- | --- |
| \`env\` values | \`secrets.X\` |
| \`registry_auth\`, and \`url\`, \`body\` and header values of \`probes\` | \`env.X\`, \`secrets.X\` |
| \`commands\` of a service | \`run.args\`, \`groups[i].replicas[j].IP_ADDRESS\`; \`secrets.X\` stays as it is, with a warning |
| \`commands\` of a task | \`run.args\`, \`groups[i].nodes[j].IP_ADDRESS\`; \`secrets.X\` stays as it is |
| \`domain\` of a gateway | \`run.project_name\` |
| names of \`volumes\` | \`dstack.job_num\`, \`dstack.node_rank\` |

### YAML

Files are read as YAML 1.1, as PyYAML's safe loader reads it: \`on\` and \`yes\` are true, \`010\` is 8, \`1e3\` is text,
\`22:22\` is 1342 (with a warning), \`3.10\` is 3.1 (except as \`python\`). Anchors, aliases and merge keys (\`<<\`) work;
other keys than those listed here are mistakes, also as holders of anchors.

## Rules

- A service needs \`commands\` or \`image\`; so does each group, if the service has no \`image\`.
- \`image\` excludes \`python\` and \`docker\`; \`docker\` excludes \`image\`, \`python\` and \`nvcc\`.
- A range of \`replicas\` needs \`scaling\`, and \`scaling\` needs a range.
- \`groups\` excludes \`replicas\`, \`commands\` and \`scaling\` beside it. \`image\`, \`docker\`, \`privileged\`, \`python\`,
  \`nvcc\`, \`spot_policy\` and \`reservation\` are set either for the service or in groups.
- Groups have different names. At most one is a \`router\`, with exactly one replica.
- At most 10 probes, each a different one; at most 16 headers each; \`get\` and \`head\` have no \`body\`.
- Rate limits have different prefixes.
- An ARM machine, and one with AMD, Intel or Tenstorrent accelerators, needs an \`image\`.
- At most one repository.
- A task needs \`commands\` or \`image\`; beside \`groups\` it has no \`nodes\`, \`commands\`, \`ports\` or \`entrypoint\`.
- A fleet has either \`nodes\` or \`ssh_config\`. A volume has a \`size\` or the id of one that exists. A gateway has at most 3
  replicas, and one with a certificate of Let's Encrypt. (Otherwise there is a warning.)
- Retired backends (\`cudo\`, \`tensordock\`) are read with a warning. A service that names no other cannot be planned.
`;
