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
    here: 'The key of a tag may be a number.',
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
    here: 'Sizes are finite.',
    there: '`.inf` is a size.',
    why: 'No machine has it.',
    lines: 'resources: {memory: .inf}',
    accepted: false,
  },
  {
    id: 'endless-price',
    here: 'Prices are finite.',
    there: '`.inf` is a price.',
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
    here: 'A step behind names of days or months is a mistake.',
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
    here: 'The name of a variable cannot be empty or hold `=`.',
    there: 'In a mapping it may.',
    why: 'It cannot be handed to a process.',
    lines: 'env: {"A=B": c}',
    accepted: false,
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
