// A zone that is full.

import { Api } from '../support/api.ts';
import { exportOf, tryToWrite } from '../support/disks.ts';
import { people } from '../support/people.ts';
import { Server } from '../support/server.ts';
import { expect, signIn, test } from '../support/test.ts';
import { Ui } from '../support/ui.ts';

test('I-6 a full zone tells the writer, loses nothing, can be emptied, and then works again', async ({ page, w, unique }) => {
  const server = await Server.start({ config: '[region]\nzones = [{ name = "petite", limit_gib = 1 }, { name = "autre" }]\n' });
  const api = await Api.as(server);
  try {
    const zone = (await api.zones()).find(({ name }) => name === 'petite')!;
    expect(zone.free).toBeLessThan(2 ** 30);
    const kept = await api.createVolume(unique('garde'), zone.id);
    expect(tryToWrite(exportOf(server, kept.id), 100)).toBe('');
    const heavy = await api.createVolume(unique('lourd'), zone.id);
    expect(tryToWrite(exportOf(server, heavy.id), 1024)).toContain('No space left on device');
    // What was there before is still read, and the console still acts.
    expect(tryToWrite(exportOf(server, kept.id), 100)).toBe('');

    const ui = new Ui(page, w);
    await signIn(page, people.owner, server);
    await ui.open(`${server.url}/volumes`);
    await ui.act(heavy.name, 'act-delete');
    await ui.dialog('delete-volume-title').confirmDeletion(heavy.name);
    await expect(ui.row(heavy.name)).toHaveCount(0);

    const again = await api.createVolume(unique('encore'), zone.id);
    expect(tryToWrite(exportOf(server, again.id), 500)).toBe('');
  } finally {
    await page.goto('about:blank');
    await api.dispose();
    await server.dispose();
  }
});
