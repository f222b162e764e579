// Where we read a configuration otherwise than dstack on purpose: the one list, printed in the manual. Each has a test.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration language look like that

export interface Difference {
  /** By which its test finds it. */
  readonly id: string;
  readonly here: string;
  readonly there: string;
  readonly why: string;
  /** Lines of a service, and whether they are right here; the other way round there. None where only the meaning differs. */
  readonly lines?: string;
  readonly accepted?: boolean;
}

export const DIFFERENCES: readonly Difference[] = [
  {
    id: 'compound-durations',
    here: 'A duration may have several units, the largest first.',
    there: 'It has one.',
    why: 'People write it, and it means one thing only.',
    lines: 'max_duration: 1h30m',
    accepted: true,
  },
  {
    id: 'own-backends',
    here: '`local`, `ssh` and `seeweb` are names of backends.',
    there: 'They are not, or not any more.',
    why: 'They are backends of trueup.',
    lines: 'backends: [local, ssh, seeweb]',
    accepted: true,
  },
  {
    id: 'numeric-tags',
    here: 'The key of a tag may be a number, and so may the `fleet` of an instance.',
    there: 'It has to be in quotes.',
    why: 'It becomes text in any case.',
    lines: 'tags: {1: a}',
    accepted: true,
  },
  {
    id: 'duplicate-keys',
    here: 'A key that is given twice is a mistake.',
    there: 'The last one silently wins.',
    why: 'Nobody means it.',
    lines: 'auth: true\nauth: false',
    accepted: false,
  },
  {
    id: 'endless-memory',
    here: 'Sizes are finite numbers.',
    there: '`.inf` and `.nan` are sizes.',
    why: 'No machine has it.',
    lines: 'resources: {memory: .inf}',
    accepted: false,
  },
  {
    id: 'endless-price',
    here: 'Prices and targets are finite.',
    there: '`.inf` is one.',
    why: 'It is a limit that limits nothing.',
    lines: 'max_price: .inf',
    accepted: false,
  },
  {
    id: 'docker-and-image',
    here: '`docker` and `image` exclude each other however true is spelled.',
    there: 'Only `true` itself is noticed.',
    why: 'A slip of the reference.',
    lines: 'docker: 1',
    accepted: false,
  },
  {
    id: 'steps-of-names',
    here: 'What follows a name of a day or month, or `last`, is a mistake: `mon-fri/2`, `mon-7`.',
    there: 'It is silently dropped.',
    why: 'It would run on other days than the file says.',
    lines: 'schedule: {cron: "0 0 * * mon-fri/2"}',
    accepted: false,
  },
  {
    id: 'nul',
    here: 'No text holds a NUL character.',
    there: 'It may.',
    why: 'It cannot be handed to a process.',
    lines: 'env: {A: "a\\0b"}',
    accepted: false,
  },
  {
    id: 'variable-names',
    here: 'The name of a variable cannot be empty, hold `=` or be `__proto__`.',
    there: 'It may.',
    why: 'It cannot be handed to a process.',
    lines: 'env: {"A=B": c}',
    accepted: false,
  },
  {
    id: 'references',
    here: 'In `env` and in names of volumes, a reference that nothing can fill is a mistake.',
    there: 'It is found when the run begins, which then ends.',
    why: 'It is known before.',
    lines: 'env: {A: "${{ env.B }}"}',
    accepted: false,
  },
  {
    id: 'digits',
    here: 'Digits are 0 to 9.',
    there: 'Those of any alphabet are.',
    why: 'Nobody who reads the file would be sure.',
    lines: 'max_duration: "٣"',
    accepted: false,
  },
  {
    id: 'line-ends',
    here: 'A name, a tag, a port does not end with a line break.',
    there: 'It may, and keeps it.',
    why: 'A slip of the reference.',
    lines: 'tags: {a: "b\\n"}',
    accepted: false,
  },
  {
    id: 'rare-tags',
    here: '`!!binary`, `!!set` and other tags than those of plain words, lists and mappings are mistakes.',
    there: 'Bytes become text, a set becomes a list.',
    why: 'Nobody writes them, and what they become is luck.',
    lines: 'reservation: !!binary aGk=',
    accepted: false,
  },
  {
    id: 'signs',
    here: 'A tab between words, and `?` or `:` before a word inside of brackets, are read as YAML 1.2 has them.',
    there: 'They are mistakes.',
    why: 'They mean one thing only.',
    lines: 'regions: [a?b]',
    accepted: true,
  },
  {
    id: 'surrogates',
    here: 'Two `\\u` escapes that are halves of one character are that character.',
    there: 'They stay halves, which most fields refuse.',
    why: 'So does every other reader of YAML.',
    lines: 'user: "\\ud83d\\ude00"',
    accepted: true,
  },
  {
    id: 'lonely-scaling',
    here: '`scaling` without `replicas` is read, with a warning.',
    there: 'It is read too, but fails when it is applied.',
    why: 'There is nothing wrong with it but that it has no effect.',
    lines: 'scaling: {metric: rps, target: 1}',
    accepted: true,
  },
  {
    id: 'many-replicas',
    here: 'A service has at most 10,000 replicas.',
    there: 'There is no limit.',
    why: 'Each takes a little time and memory in every decision, and nobody means a billion.',
    lines: 'replicas: 10001',
    accepted: false,
  },
  {
    id: 'fleets',
    here: 'In a fleet, a port is from 1 to 65535, the `duration` of `retry` is not negative, and keys are given as `identity_file`.',
    there: 'Any number will do, and a key may be written as `ssh_key`.',
    why: 'No port has another number, and keys do not belong into a repository.',
  },
  {
    id: 'empty-image',
    here: 'An empty `image` is none.',
    there: 'For the rules of accelerators and ARM it is one.',
    why: 'Nothing can be started from it.',
  },
  {
    id: 'replacement',
    here: 'The character U+FFFD is a mistake.',
    there: 'It is a character like any other.',
    why: 'It is what is left of bytes that are not UTF-8.',
  },
  {
    id: 'slashes',
    here: 'Slashes at the beginning of a mount count as one.',
    there: 'Two are kept.',
    why: 'They mean the same to Linux.',
  },
  {
    id: 'limits',
    here: 'A file has at most 1 MB, 30,000 words and signs, 100,000 values (aliases counted by what they stand for) and 64 levels.',
    there: 'There are no limits.',
    why: 'A hostile file must not stop the others.',
  },
  {
    id: 'weekdays',
    here: 'Weekday numbers in `cron` count from Sunday (0), with a warning.',
    there: 'They count from Monday (0).',
    why: 'So does every other cron. Names (`mon`) mean the same in both.',
  },
  {
    id: 'defaults',
    here: 'A default that is written out means the same as one that is not.',
    there: 'Adding it restarts the service.',
    why: 'Only what is asked for counts, not how it is spelled.',
  },
  {
    id: 'stop-duration',
    here: 'Without `stop_duration` a process has 10 seconds to end.',
    there: '5 minutes are documented, and 10 seconds happen.',
    why: 'What happens there is kept.',
  },
  {
    id: 'secrets',
    here: '`${{ secrets.X }}` is filled in wherever a reference may stand, probes too.',
    there: 'In probes it stays as it is written.',
    why: 'A probe may need a token.',
  },
  {
    id: 'arguments',
    here: '`${{ run.args }}` is empty.',
    there: 'It is what follows `--` on the command line.',
    why: 'Nobody types a command line here.',
  },
  {
    id: 'repository',
    here: 'Paths in `files` and `repos` stay inside the repository.',
    there: 'They may lead anywhere on the machine of whoever applies.',
    why: 'A commit says all there is to say.',
  },
];
