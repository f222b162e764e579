// A process of its own that reads configuration files again and again, and nothing else. Speaks JSON: a `Reading` as its
// argument, a `Pass` for each time on stdout; the first is that of a process that has just begun.
import { LineCounter, parseDocument } from 'yaml';
import { parseFile } from '../../reconciler/source/parse.ts';
import { type File, filesOf, type Kind } from './files.ts';

export interface Reading {
  readonly reader: 'yaml' | 'trueup';
  readonly kind: Kind;
  readonly passes: number;
}

/** Milliseconds over all files: by the clock, and of processor time of all threads. */
export interface Pass {
  readonly clock: number;
  readonly processor: number;
}

const READERS: { readonly [reader in Reading['reader']]: (file: File) => unknown } = {
  yaml: readAlone,
  trueup: (file) => parseFile(file, { root: '', profiles: null }),
};

/** What any reader must do: values, positions and mistakes, in the version the language is written in. */
function readAlone({ text }: File): unknown {
  const document = parseDocument(text, {
    version: '1.1',
    lineCounter: new LineCounter(),
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
  });
  return document.errors.length > 0 ? document.errors : document.toJS();
}

const { reader, kind, passes } = JSON.parse(process.argv[2] ?? '') as Reading;
const files = filesOf(kind);
const read = READERS[reader];
const times = Array.from({ length: passes }, (): Pass => {
  const started = performance.now();
  const before = process.cpuUsage();
  // Kept, as who reads them needs them.
  const kept = files.map(read);
  const [clock, { user, system }] = [performance.now() - started, process.cpuUsage(before)];
  if (kept.length !== files.length) throw new Error('a file was left out');
  return { clock, processor: (user + system) / 1000 };
});
process.stdout.write(JSON.stringify(times));
