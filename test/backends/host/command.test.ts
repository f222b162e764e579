import { expect, test } from 'vitest';
import { commandLine, joinCommands, splitWords } from '../../../backends/host/command.ts';
import { processSpec } from '../builders.ts';

test('each command runs only when the one before succeeded', () => {
  expect(joinCommands(['make', ' serve --port $PORT\n', ''])).toBe('make && serve --port $PORT');
});

test('a command in the background is put in braces', () => {
  expect(joinCommands(['watch &', 'serve'])).toBe('{ watch & } && serve');
});

test('the shell is the one that is asked for', () => {
  expect(commandLine(processSpec({ commands: ['a'], shell: 'sh' }))).toEqual(['/bin/sh', '-c', 'a']);
  expect(commandLine(processSpec({ commands: ['a'], shell: '/opt/fish' }))).toEqual(['/opt/fish', '-c', 'a']);
});

test('with an entrypoint the commands are its arguments', () => {
  const spec = processSpec({ entrypoint: 'serve "a model" --x', commands: ['--y', '1 2'] });
  expect(commandLine(spec)).toEqual(['serve', 'a model', '--x', '--y', '1 2']);
});

test('words follow the rules of the shell', () => {
  expect(splitWords(`a\\ b 'c "d"' "e \\" \\n" f'g'"h" ''`)).toEqual(['a b', 'c "d"', 'e " \\n', 'fgh', '']);
});
