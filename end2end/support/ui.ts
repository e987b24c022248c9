// The console's pages as a person uses them: by roles and labels.

import { expect, type Locator, type Page } from '@playwright/test';
import type { Words } from './words.ts';
import { hydrated } from './test.ts';

export const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** The pages of the main navigation. */
export type Where = 'home' | 'instances' | 'volumes' | 'snapshots' | 'templates' | 'activity';

export class Ui {
  constructor(readonly page: Page, readonly w: Words) {}

  /** Goes to a page by the main navigation. */
  async go(where: Where): Promise<void> {
    // Before its style a page shows the menu's button at any width.
    await this.page.waitForLoadState();
    const navigation = this.page.getByRole('navigation', { name: this.w('frame-nav') });
    const menu = navigation.getByRole('button', { name: this.w('frame-pages'), exact: true });
    if (await menu.isVisible()) await menu.click();
    await navigation.getByRole('link', { name: this.w(`nav-${where}`), exact: true }).click();
    await this.at(where);
  }

  async at(where: Where): Promise<void> {
    await expect(this.page.getByRole('heading', { level: 1, name: this.w(`${where}-title`), exact: true })).toBeVisible();
  }

  /** The row whose header has this name. */
  row(name: string): Locator {
    const header = this.page.getByRole('rowheader', { name: new RegExp(`^${escaped(name)}(\\s|$)`) });
    return this.page.getByRole('row').filter({ has: header });
  }

  /** Chooses an act in the row's own menu. */
  async act(name: string, act: string): Promise<void> {
    await this.row(name).getByRole('button', { name: this.w('act-menu-named', { name }), exact: true }).click();
    await this.choose(act);
  }

  /** Selects the row, then chooses an act in the menu above the list, as the article does. */
  async selectAndAct(name: string, act: string, menu = 'act-menu-selected'): Promise<void> {
    await this.row(name).getByRole('checkbox', { name: this.w('act-select', { name }), exact: true }).check();
    await this.page.getByRole('button', { name: this.w(menu), exact: true }).click();
    await this.choose(act);
  }

  private async choose(act: string): Promise<void> {
    await this.page.locator('[popover]').getByRole('link', { name: this.w(act), exact: true }).click();
  }

  dialog(title: string): Dialog {
    return new Dialog(this.page.getByRole('dialog', { name: this.w(title), exact: true }), this.w);
  }

  /** The notice that says this. */
  notice(text: string): Locator {
    return this.page.getByRole('status', { name: this.w('toast-region') }).getByText(text, { exact: true });
  }

  async signOut(): Promise<void> {
    await this.openAccount();
    await this.page.getByRole('button', { name: this.w('sign-out'), exact: true }).click();
  }

  async openAccount(): Promise<void> {
    // The account's name is that of whoever is signed in.
    const account = escaped(this.w('frame-account', { name: '\u0000' })).replace('\u0000', '.+');
    await this.page.getByRole('button', { name: new RegExp(`^${account}$`) }).click();
  }

  /** Chooses light, dark, or what the device has, in the account menu. */
  async theme(to: 'system' | 'light' | 'dark'): Promise<void> {
    await this.openAccount();
    await this.page.getByRole('button', { name: this.w(`theme-${to}`), exact: true }).click();
  }

  /** Switches the language, by its own name. */
  async language(to: 'fr' | 'en'): Promise<void> {
    const name = { fr: 'Français', en: 'English' }[to];
    await this.page.getByRole('button', { name, exact: true }).click();
  }

  async signIn(email: string, password: string): Promise<void> {
    await this.page.getByLabel(this.w('sign-in-email'), { exact: true }).fill(email);
    await this.page.getByLabel(this.w('sign-in-password'), { exact: true }).fill(password);
    await this.page.getByRole('button', { name: this.w('sign-in-submit'), exact: true }).click();
  }

  /** Opens an address and waits until the page has come alive. */
  async open(path: string): Promise<void> {
    await this.page.goto(path);
    await hydrated(this.page);
  }
}

export class Dialog {
  constructor(readonly root: Locator, private readonly w: Words) {}

  field(label: string): Locator { return this.root.getByLabel(this.w(label)); }
  button(label: string, args?: Record<string, string>): Locator {
    return this.root.getByRole('button', { name: this.w(label, args), exact: true });
  }
  /** The button that sends it, whatever it is called. */
  get submit(): Locator { return this.root.locator('button[type=submit]'); }

  /** The way out: a link, so that it is one without scripts, too. */
  get cancel(): Locator { return this.root.getByRole('link', { name: this.w('dialog-cancel'), exact: true }); }

  /** Agrees to lose what is lost where it asks, and deletes. */
  async confirmDeletion(name: string): Promise<void> {
    // The button comes with the plan; only then can it be told whether a tick is asked for.
    const submit = this.button('delete-submit', { name });
    await submit.waitFor();
    const tick = this.root.getByRole('checkbox', { name: this.w('delete-volume-tick') });
    if (await tick.count()) await tick.check();
    await submit.click();
  }
}
