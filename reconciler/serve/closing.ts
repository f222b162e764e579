// What has to be undone at the end, in the reverse order of how it was done.

export interface Closing {
  /** Remembers how to undo something. */
  add(undo: () => unknown): void;
  /** Undoes everything, newest first; what fails does not keep the rest from being undone. */
  run(): Promise<void>;
}

export function createClosing(report: (error: unknown) => void): Closing {
  const undos: (() => unknown)[] = [];
  return {
    add: (undo) => undos.push(undo),
    async run() {
      for (let undo = undos.pop(); undo; undo = undos.pop()) {
        try {
          await undo();
        } catch (error) {
          report(error);
        }
      }
    },
  };
}
