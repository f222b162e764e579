// Makes `dist/index.js`, the one file that GitHub runs: the Action with all it imports and the price list of the day it was
// made. The same sources give the same bytes on every machine. Run by `npm run bundle`.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '..');
export const BUNDLE = join(ROOT, 'action/dist/index.js');

export async function bundle(): Promise<string> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['action/main.ts'],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    minify: true,
    charset: 'utf8',
    legalComments: 'none',
    // Some of what is bundled was written for `require`.
    banner: {
      js: `${HEAD}\nimport{createRequire as toRequire}from'node:module';const require=toRequire(import.meta.url);`,
    },
    plugins: [embeddedPrices, englishOnly],
  });
  return `${outputFiles[0]?.text ?? ''}\n${licences(metafile)}`;
}

// Private

const HEAD = '// Made of action/main.ts by `npm run bundle`: do not edit. Licences are at the end.';

const READS_FILE = 'readFileSync(SNAPSHOT_FILE)';

/** The price list is part of the bundle instead of a file beside it. */
const embeddedPrices: Plugin = {
  name: 'embedded-prices',
  setup(on) {
    on.onLoad({ filter: /backends\/catalog\/snapshot\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      const prices = readFileSync(join(path, '../snapshot/prices.json.br')).toString('base64');
      if (!source.includes(READS_FILE)) throw new Error(`${path} does not read its file as it did`);
      return { contents: source.replace(READS_FILE, `Buffer.from('${prices}', 'base64')`), loader: 'ts' };
    });
  },
};

/** zod brings its messages in every language; a quarter of the bundle would be those. */
const englishOnly: Plugin = {
  name: 'english-only',
  setup(on) {
    on.onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: `export { default as en } from './en.js';`,
      loader: 'js',
    }));
  },
};

const packageSchema = z.object({ name: z.string(), version: z.string(), license: z.string() });

/** Of everything that is in it, as those licences ask. */
function licences({ inputs }: Metafile): string {
  const folders = Object.keys(inputs).flatMap(
    (path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? [],
  );
  const notices = [...new Set(folders)].map(notice).toSorted();
  return `/*\n${['This file contains:', ...new Set(notices)].join('\n\n').replaceAll('*/', '* /')}\n*/\n`;
}

function notice(folder: string): string {
  const text = (name: string) => readFileSync(join(ROOT, folder, name), 'utf8');
  const { name, version, license } = packageSchema.parse(JSON.parse(text('package.json')));
  const file = readdirSync(join(ROOT, folder)).find((each) => /^licen[cs]e/i.test(each));
  return `${name} ${version} (${license})${file ? `\n\n${text(file).trim()}` : ''}`;
}

if (import.meta.main) {
  const text = await bundle();
  writeFileSync(BUNDLE, text);
  console.log(`${BUNDLE}: ${Buffer.byteLength(text)} bytes`);
}
