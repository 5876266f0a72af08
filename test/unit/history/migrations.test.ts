import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';

import { migrations, schemaVersion } from '../../../main/history/migrations.ts';
import { openTestHistory, testHome } from './testHome.ts';

/** Writes a file as the version with `version` steps left it, with a chat of that time in it. */
function fileOfVersion(file: string, version: number): void {
  const connection = new DatabaseSync(file);
  for (const step of migrations.slice(0, version)) connection.exec(step);
  connection.exec(`PRAGMA user_version = ${version}`);
  connection.exec(
    `INSERT INTO chats (id, title, created_at, updated_at, leaf_id) VALUES ('c', 'Old chat', 1, 2, 'a');
     INSERT INTO messages (id, chat_id, parent_id, role, content, created_at, status)
     VALUES ('q', 'c', NULL, 'user', 'a question from long ago', 1, 'complete'),
            ('a', 'c', 'q', 'assistant', 'its answer', 2, 'complete');`,
  );
  connection.close();
}

describe('migrations', () => {
  test.each(migrations.map((_, index) => index + 1))(
    'a file of version %i opens with its chats, searchable',
    async (version) => {
      const home = testHome();
      fileOfVersion(home.historyFile, version);
      const { chats, database, notice } = openTestHistory(home);
      expect(notice).toBeNull();
      expect(database.get('PRAGMA user_version')).toEqual({ user_version: schemaVersion });
      expect(chats.get('c')).toMatchObject({
        title: 'Old chat',
        leafId: 'a',
        messages: [{ content: 'a question from long ago' }, { content: 'its answer' }],
      });
      expect(await chats.search('long ago')).toHaveLength(1);
      chats.finish({ ...chats.get('c').messages[1]!, content: 'new' }, [{ stampNs: 1, forwardNs: 1, sampleNs: 1 }]);
      expect(chats.timings('a')).toHaveLength(1);
    },
  );

  test('a file of a newer version opens, keeps its version and what it added', () => {
    const home = testHome();
    fileOfVersion(home.historyFile, schemaVersion);
    const connection = new DatabaseSync(home.historyFile);
    connection.exec(`ALTER TABLE chats ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'; PRAGMA user_version = 99`);
    connection.close();
    const { chats, database } = openTestHistory(home);
    expect(chats.update('c', { title: 'Renamed' }).title).toBe('Renamed');
    expect(database.get('PRAGMA user_version')).toEqual({ user_version: 99 });
    expect(database.get('SELECT colour FROM chats')).toEqual({ colour: 'red' });
  });

  test('a step that fails leaves the file as it was', () => {
    const home = testHome();
    fileOfVersion(home.historyFile, 1);
    const connection = new DatabaseSync(home.historyFile);
    // Step 3 will find its table taken.
    connection.exec('CREATE TABLE timings (x)');
    connection.close();
    expect(() => openTestHistory(home)).toThrow('already exists');
    const after = new DatabaseSync(home.historyFile);
    expect(after.prepare('PRAGMA user_version').get()).toEqual({ user_version: 1 });
    expect(after.prepare('SELECT name FROM pragma_table_info(?)').all('messages')).not.toContainEqual({
      name: 'indexed',
    });
    after.close();
  });
});
