// Cuts a stream of text into lines, none longer than a limit.

export interface LineCutter {
  /** The lines that this text completes. */
  push(text: string): readonly string[];
  /** The last line, when it had no end. */
  flush(): readonly string[];
}

/** What exceeds `limit` characters of a line is dropped, and the line says so. */
export function createLineCutter(limit: number): LineCutter {
  let open = '';
  let dropped = 0;

  const extend = (text: string) => {
    const room = Math.max(0, limit - open.length);
    open += text.slice(0, room);
    dropped += Math.max(0, text.length - room);
  };
  const complete = () => {
    const line = open.replace(/\r$/, '') + (dropped > 0 ? ` … (${dropped} more characters)` : '');
    open = '';
    dropped = 0;
    return line;
  };
  return {
    push(text) {
      const [first = '', ...others] = text.split('\n');
      extend(first);
      return others.map((next) => {
        const line = complete();
        extend(next);
        return line;
      });
    },
    flush: () => (open === '' && dropped === 0 ? [] : [complete()]),
  };
}
