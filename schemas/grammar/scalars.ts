// What a plain YAML word means: the rules of YAML 1.1 as PyYAML's safe loader applies them, because that is what
// the configuration language was written for. Integers are bigint and floats are number, so that `1` and `1.0`,
// or `3.1` and `3`, stay apart until a schema has decided what it wants.

/** A date is the symbol of its text: nothing in the language is one, and nothing takes a symbol for what it wants. */
export type Scalar = null | boolean | bigint | number | string | symbol;

interface Rule {
  /** What such a word may begin with: most words are text, and need no pattern tried. */
  readonly first: string;
  readonly pattern: RegExp;
  readonly read: (text: string) => Scalar;
}

// https://yaml.org/type/ (2005), with PyYAML's corrections: an exponent needs a sign, `y` and `n` are words.
const RULES: readonly Rule[] = [
  { first: '~nN', pattern: /^(?:~|null|Null|NULL|)$/, read: () => null },
  { first: 'yYtToO', pattern: /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON)$/, read: () => true },
  { first: 'nNfFoO', pattern: /^(?:no|No|NO|false|False|FALSE|off|Off|OFF)$/, read: () => false },
  {
    first: '-+0123456789',
    pattern: /^[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][\d_]*|0x[\da-fA-F_]+|[1-9][\d_]*(?::[0-5]?\d)+)$/,
    read: integer,
  },
  {
    first: '-+.0123456789',
    pattern:
      /^(?:[-+]?\d[\d_]*\.[\d_]*(?:[eE][-+]\d+)?|\.\d[\d_]*(?:[eE][-+]\d+)?|[-+]?\d[\d_]*(?::[0-5]?\d)+\.[\d_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/,
    read: float,
  },
  {
    first: '0123456789',
    pattern:
      /^\d{4}-(?:\d\d-\d\d|\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?)$/,
    read: Symbol,
  },
];

/** What an unquoted word stands for. */
export function resolveScalar(text: string): Scalar {
  if (text.length > LONGEST) return text;
  const begins = text.charAt(0);
  const rule = RULES.find(({ first, pattern }) => first.includes(begins) && pattern.test(text));
  return rule === undefined ? text : rule.read(text);
}

/** True for words like `22:22`, which YAML 1.1 reads as a number of minutes. */
export function isSexagesimal(text: string): boolean {
  return text.includes(':') && typeof resolveScalar(text) === 'bigint';
}

/** A number as the text it becomes where text is wanted: `8080`, `1.0`, `1e-05`. */
export function numberText(value: bigint | number): string {
  if (typeof value === 'bigint') return value.toString();
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (value !== 0 && (power < -4 || power >= 16)) {
    return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  }
  if (!Number.isInteger(value)) return decimal(digits, power);
  return `${Object.is(value, -0) ? '-0' : value.toFixed(0)}.0`;
}

// Private

/** Nothing that is meant as a number or a date is longer; reading one of a million digits would take minutes. */
const LONGEST = 100;

function integer(text: string): bigint {
  const digits = text.replaceAll('_', '');
  const sign = digits.startsWith('-') ? -1n : 1n;
  const body = digits.replace(/^[-+]/, '');
  if (body.includes(':')) return sign * sexagesimal(body.split(':'));
  if (/^0[bx]/.test(body)) return sign * BigInt(/^0[bx]$/.test(body) ? 0 : body);
  return sign * BigInt(/^0./.test(body) ? `0o${body.slice(1)}` : body);
}

function sexagesimal(parts: readonly string[]): bigint {
  return parts.reduce((total, part) => total * 60n + BigInt(part), 0n);
}

function float(text: string): number {
  const body = text.replaceAll('_', '').toLowerCase();
  if (body.endsWith('.nan')) return Number.NaN;
  const sign = body.startsWith('-') ? -1 : 1;
  const digits = body.replace(/^[-+]/, '');
  if (digits === '.inf') return sign * Number.POSITIVE_INFINITY;
  return sign * digits.split(':').reduce((total, part) => total * 60 + Number(part), 0);
}

/** JavaScript writes small numbers with an exponent where the configuration language does not. */
function decimal(digits: string, power: number): string {
  if (power >= 0 || power < -4) return String(Number(`${digits}e${power}`));
  const sign = digits.startsWith('-') ? '-' : '';
  return `${sign}0.${'0'.repeat(-power - 1)}${digits.replace('-', '').replace('.', '')}`;
}
