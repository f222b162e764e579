// The values behind `${{ namespace.name }}`: where each may come from, and what is said when there is none.
import { interpolate, references } from '../../schemas/grammar/interpolation.ts';

export interface Scope {
  readonly secrets: (name: string) => string | null;
  /** Absent where the reference does not allow `env` either. */
  readonly env?: (name: string) => string | null;
}

export interface Mistake {
  readonly message: string;
  readonly fix: string;
}

/** The text with every reference replaced, or everything that is wrong with its references. */
export function fillIn(
  text: string,
  scope: Scope,
): { readonly text: string; readonly mistakes: readonly Mistake[] } {
  const { names, mistakes } = references(text);
  const values = new Map<string, string>();
  const missing = names.flatMap((name) => {
    const found = lookUp(name, scope);
    if (typeof found !== 'string') return [found];
    values.set(name, found);
    return [];
  });
  return { text: interpolate(text, (name) => values.get(name)), mistakes: [...mistakes, ...missing] };
}

// Private

function lookUp(reference: string, scope: Scope): string | Mistake {
  const [namespace, name = ''] = reference.split('.');
  if (namespace === 'secrets') return scope.secrets(name) ?? noSecret(name);
  if (namespace === 'env' && scope.env) {
    return scope.env(name) ?? { message: `env has no ${name}`, fix: `add ${name} under env` };
  }
  const known = scope.env ? 'secrets.NAME or env.NAME' : 'secrets.NAME';
  return {
    message: `\${{ ${reference} }} cannot be used here`,
    fix: `use ${known}, or write $\${{ for the text itself`,
  };
}

function noSecret(name: string): Mistake {
  return {
    message: `the server has no secret ${name}`,
    fix: `give it a value in the server's configuration: secrets: { ${name}: env:${name} }`,
  };
}
