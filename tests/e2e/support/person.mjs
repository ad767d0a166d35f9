// Teacher and student as they use the app: by roles and words, in their language.
import { accountOfPage, witnesses } from './account.mjs';
import { LAPTOP } from './browser.mjs';
import { impersonate } from './identity.mjs';
import { label, pattern } from './labels.mjs';

/** No action of a user may take longer, on a machine that runs four browsers and the server. */
const TIMEOUT_MS = 30_000;

/** A camera that the device check was told of is on after so long. */
const BY_ITSELF_MS = 5_000;

export const PASSWORD = 'qism-demo';

/** Somebody with a browser context of their own. `hue` and `hz` are what their camera and microphone carry. */
export class Person {
  constructor(page, context, options) {
    Object.assign(this, options, { page, context });
  }

  static async open(browser, school, options) {
    const person = {
      language: 'ar',
      device: LAPTOP,
      permissions: ['camera', 'microphone'],
      hue: 0,
      hz: 440,
      ...options,
    };
    const context = await browser.newContext({
      ...person.device,
      permissions: person.permissions,
      reducedMotion: 'reduce',
      bypassCSP: Boolean(person.bypassCSP),
      ignoreHTTPSErrors: school.url.startsWith('https:'),
    });
    await context.addInitScript(impersonate, { hue: person.hue, hz: person.hz });
    const page = await context.newPage();
    page.setDefaultTimeout(TIMEOUT_MS);
    const opened = new Person(page, context, person);
    opened.problems = [];
    opened.requests = [];
    page.on('pageerror', (error) => opened.problems.push(String(error)));
    page.on('console', (line) => line.type() === 'error' && opened.problems.push(line.text()));
    page.on('request', (request) => opened.requests.push(request.url()));
    opened.url = school.url;
    witnesses.add(opened);
    return opened;
  }

  t(key, args) {
    return label(this.language, key, args);
  }

  button(key, options = {}) {
    return this.page.getByRole('button', { name: pattern(this.language, key), ...options }).first();
  }

  /** Chooses the language, where it is not there yet, and signs in. */
  async signIn({ speak = true } = {}) {
    await this.page.goto(this.url);
    if (speak) await this.speak(this.language);
    await this.page.getByLabel(this.t('signIn.login'), { exact: true }).fill(this.login);
    await this.page.getByLabel(this.t('signIn.password'), { exact: true }).fill(PASSWORD);
    await this.page.getByRole('button', { name: this.t('signIn.submit'), exact: true }).click();
  }

  /** Switches the language by the language switch of the page. */
  async speak(language) {
    const names = { ar: 'العربية', fr: 'Français', en: 'English' };
    await this.page.getByRole('radio', { name: names[language], exact: true }).first().check();
    this.language = language;
    await this.page.waitForFunction((l) => document.documentElement.lang.startsWith(l), language);
  }

  /** From home into the lesson of now, through the check where it appears; there they look around for so many ms. */
  async enterLesson({ listenOnly = false, lookMs = 0 } = {}) {
    const enter = this.page
      .getByRole('button', {
        name: new RegExp(
          ['home.start', 'home.open', 'home.join', 'home.resume', 'home.visit']
            .map((key) => this.t(key))
            .join('|')
            .replace(/[()]/g, '\\$&'),
        ),
      })
      .first();
    await enter.click();
    const check = this.page.getByRole('heading', { name: this.t('check.title') });
    const controls = this.controls();
    await check.or(controls).first().waitFor();
    if (await check.isVisible()) {
      const join = ['check.join', 'check.startTeacher', 'check.enterTeacher'].map((key) => this.t(key)).join('|');
      await this.page.waitForTimeout(lookMs);
      if (listenOnly) await this.button('check.listenOnly').click();
      else await this.page.getByRole('button', { name: new RegExp(`^(${join})$`) }).click();
    }
    await controls.waitFor();
  }

  /** The camera comes on, by itself where the device check was told so, else by a tap. */
  async turnCameraOn() {
    const isOn = this.button('bar.cameraOff');
    const byItself = isOn.waitFor({ timeout: BY_ITSELF_MS }).then(
      () => true,
      () => false,
    );
    const tap = this.button('bar.cameraOn');
    // It may come on just now: then there is nothing to tap.
    if (!(await byItself) && (await tap.isVisible())) await tap.click();
    await isOn.waitFor();
  }

  controls() {
    return this.page.getByRole('toolbar', { name: this.t('lesson.controls') });
  }

  /** On phones the chat is behind its button. */
  async openChat() {
    const input = this.page.getByRole('textbox', { name: this.t('chat.input') });
    if (!(await input.isVisible()))
      await this.controls()
        .getByRole('button', { name: new RegExp(this.t('bar.chat')) })
        .click();
    await input.waitFor();
    return input;
  }

  async say(text) {
    const input = await this.openChat();
    await input.fill(text);
    await input.press('Enter');
  }

  line(text) {
    return this.page.getByRole('log').getByText(text, { exact: true });
  }

  /** Chooses an action from somebody's menu in the list of people. */
  async act(name, key) {
    const menu = this.page.getByRole('button', {
      name: new RegExp(`^${this.t('common.menuOf', { name: `.?${name}.?` })}`),
    });
    if (!(await menu.isVisible()))
      await this.page.getByRole('tab', { name: new RegExp(this.t('people.title')) }).click();
    await menu.click();
    await this.page.getByRole('menuitem', { name: pattern(this.language, key) }).click();
  }

  account(picture) {
    return accountOfPage(this, picture);
  }

  async close() {
    witnesses.delete(this);
    await this.context.close();
  }
}
