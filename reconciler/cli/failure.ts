// Why a command ends early, and with which exit code.

export class CommandFailure extends Error {
  /** What to do about it. */
  readonly fix: string;
  /** 1: the answer is no. 2: wrong usage, or the server cannot be asked. */
  readonly exitCode: 1 | 2;

  constructor(message: string, fix: string, exitCode: 1 | 2 = 2) {
    super(message);
    this.name = 'CommandFailure';
    this.fix = fix;
    this.exitCode = exitCode;
  }
}
