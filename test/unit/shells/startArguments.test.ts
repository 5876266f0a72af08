import { describe, expect, it } from 'vitest';

import { createProgram } from '../../../main/cli.ts';
import { commandNames, readStart } from '../../../main/startArguments.ts';

describe('what the installed program is asked to do', () => {
  it('knows every command of the command line, and no other', () => {
    const commands = createProgram().commands.map((command) => command.name());
    expect([...commandNames].sort()).toEqual([...commands, 'help'].sort());
  });

  it.each([
    [
      ['serve', '--port', '0'],
      ['serve', '--port', '0'],
    ],
    [
      ['--ozone-platform=headless', '--no-sandbox', 'models', 'list'],
      ['models', 'list'],
    ],
    [['--version'], ['--version']],
  ])('takes %j for a command', (args, command) => {
    expect(readStart(args)).toEqual({ kind: 'command', args: command });
  });

  it.each([
    [[], {}],
    [['--no-sandbox', '--home', 'chat'], { home: 'chat' }],
    [['--home=serve', '--model', 'synthetic:tiny'], { home: 'serve', model: 'synthetic:tiny' }],
    [['/somewhere', '--home', '/x'], { home: '/x' }],
    [['--safe-mode'], { safeMode: true }],
    [['nemoflash://models/a/b'], { link: 'nemoflash://models/a/b' }],
  ])('opens the window for %j', (args, options) => {
    expect(readStart(args)).toEqual({ kind: 'window', ...options });
  });
});
