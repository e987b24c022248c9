// Each dialog that changes something: signed out meanwhile, not allowed, slow, refused by the server. (That they work is
// seen in the other files.)

import { people } from '../support/people.ts';
import { accessible, expect, signIn, test } from '../support/test.ts';
import { Ui, type Dialog } from '../support/ui.ts';

interface Case {
  what: string;
  title: string;
  /** The address that opens it. */
  path: (ids: { volume: string; snapshot: string }) => string;
  /** Where it sends what. */
  endpoint: string;
  send: (dialog: Dialog, names: { volume: string; snapshot: string }, fresh: string) => Promise<void>;
}

const cases: Case[] = [
  {
    what: 'take a snapshot', title: 'act-take-snapshot', endpoint: '/api/volumes/take-snapshot',
    path: ({ volume }) => `/volumes?dialog=take-snapshot&volume=${volume}`,
    send: async (dialog, _, fresh) => {
      await dialog.field('take-snapshot-name').fill(fresh);
      await dialog.button('dialog-confirm').click();
    },
  },
  {
    what: 'create a volume', title: 'act-create-volume', endpoint: '/api/volumes/create',
    path: () => '/volumes?dialog=create-volume',
    send: async (dialog, _, fresh) => {
      await dialog.field('field-name').fill(fresh);
      await dialog.submit.click();
    },
  },
  {
    what: 'delete a volume', title: 'delete-volume-title', endpoint: '/api/volumes/delete',
    path: ({ volume }) => `/volumes?dialog=delete-volume&volume=${volume}`,
    send: (dialog, { volume }) => dialog.confirmDeletion(volume),
  },
  {
    what: 'create a volume from a snapshot', title: 'act-restore', endpoint: '/api/snapshots/to-volume',
    path: ({ snapshot }) => `/snapshots?dialog=restore&snapshot=${snapshot}`,
    send: async (dialog, _, fresh) => {
      await dialog.field('field-name').fill(fresh);
      await dialog.submit.click();
    },
  },
  {
    what: 'delete a snapshot', title: 'delete-snapshot-title', endpoint: '/api/snapshots/delete',
    path: ({ snapshot }) => `/snapshots?dialog=delete-snapshot&snapshot=${snapshot}`,
    send: (dialog, { snapshot }) => dialog.confirmDeletion(snapshot),
  },
];

for (const one of cases) {
  test.describe(one.what, () => {
    test('signed out, not allowed, slow, refused', async ({ page, context, visitor, api, w, unique, expected, server }) => {
      for (const status of [401, 403, 409]) expected.answer(status, /^\/api\//);
      const ui = new Ui(page, w);
      const volume = await api.createVolume(unique('v'));
      const snapshot = await api.takeSnapshot(volume, unique('s'));
      const [ids, names] = [{ volume: volume.id, snapshot: snapshot.id }, { volume: volume.name, snapshot: snapshot.name }];

      // An Observer who comes to its address gets no dialog to send.
      const observer = await visitor(people.viewer);
      await observer.goto(one.path(ids));
      await expect(observer.getByRole('heading', { level: 1 })).toBeVisible();
      await expect(observer.getByRole('dialog').locator('form')).toHaveCount(0);

      await signIn(page);
      // A page asks for its list once more when its stream opens; after that it would be led to the door by itself.
      const refreshed = page.waitForResponse((answer) => /\/api\/(volumes|snapshots)\/list/.test(answer.url()));
      await ui.open(one.path(ids));
      await refreshed;
      const dialog = ui.dialog(one.title);
      await expect(dialog.root).toBeVisible();

      // Signed out meanwhile: said, or led to the door, and nothing happens.
      const cookies = await context.cookies();
      await context.clearCookies();
      await one.send(dialog, names, unique('x'));
      await expect(page.getByText(w('fault-sign-in-needed')).or(page.getByRole('button', { name: w('sign-in-submit'), exact: true })).first()).toBeVisible();
      await context.addCookies(cookies);

      // Refused by the server: its reason stands in the dialog, which stays open.
      await ui.open(one.path(ids));
      await page.route(`**${one.endpoint}`, (route) => route.fulfill({
        status: 409,
        contentType: 'application/json',
        body: JSON.stringify({ code: 'in-use', name: names.volume }),
        headers: { serverfnerror: one.endpoint },
      }), { times: 1 });
      await one.send(dialog, names, unique('x'));
      await expect(dialog.root.getByText(w('fault-in-use', { name: names.volume }))).toBeVisible();
      await accessible(page, `${one.what}, refused`);

      // Slow: it says so and cannot be sent twice; then it is done.
      let asked = 0;
      await page.route(`**${one.endpoint}`, async (route) => {
        asked += 1;
        await expect(dialog.root.getByText(w('dialog-pending'))).toBeAttached();
        await expect(dialog.submit).toBeDisabled();
        // Whoever wants to leave hears first what became of it.
        await page.keyboard.press('Escape');
        await expect(dialog.root).toBeVisible();
        await route.continue();
      });
      await one.send(dialog, names, unique('x'));
      await expect(dialog.root).toBeHidden();
      expect(asked).toBe(1);
      expect(new URL(page.url()).origin).toBe(server.url);
    });
  });
}
