// Which group became which, when a commit calls one by another name. A renamed group goes on under its new name: what
// runs in it stays where it is still what is asked for, and is replaced within surge and floor where it is not.

/** A group, and what its process is made of. */
export interface Named {
  readonly name: string;
  readonly shape: string | undefined;
}

/**
 * Old name → new name, of groups that are only in `before` and only in `after`: first those of the same shape, in order;
 * then, if one is left on either side, that one. Two that changed both name and shape could be either, so they are none.
 */
export function renamedGroups(
  before: readonly Named[],
  after: readonly Named[],
): ReadonlyMap<string, string> {
  const renames = new Map<string, string>();
  const gone = before.filter(({ name }) => !after.some((each) => each.name === name));
  const added = after.filter(({ name }) => !before.some((each) => each.name === name));
  const isLeft = ({ name }: Named) => ![...renames.values()].includes(name);
  for (const { name, shape } of gone) {
    const same = added.find((each) => each.shape === shape && isLeft(each));
    if (same) renames.set(name, same.name);
  }
  const [old, ...olds] = gone.filter(({ name }) => !renames.has(name));
  const [fresh, ...freshes] = added.filter(isLeft);
  if (old && fresh && olds.length === 0 && freshes.length === 0) renames.set(old.name, fresh.name);
  return renames;
}

export function groupsOf(deployment: {
  readonly shapes: { readonly [group: string]: string };
  readonly spec: { readonly groups: readonly { readonly name: string }[] };
}): Named[] {
  return deployment.spec.groups.map(({ name }) => ({ name, shape: deployment.shapes[name] }));
}
