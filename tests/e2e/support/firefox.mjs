// Debian's Firefox for the people of a test: the second engine. Playwright cannot drive it, so a person here is a small twin of
// Person, with the same words for the same actions.
import puppeteer from 'puppeteer-core';
import { accountOfPage, witnesses } from './account.mjs';
import { PASSWORD } from './person.mjs';
import { eventually, hearsRecorded, impersonate } from './identity.mjs';
import { label, pattern } from './labels.mjs';

export const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';

/** The tone of Firefox's fake microphone. Its AudioContext needs a sound card, which a test machine has not. */
export const FIREFOX_HZ = 1000;

const PREFERENCES = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.navigator.audio.fake_frequency': FIREFOX_HZ,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  // Nothing but the server under test is asked for anything.
  'app.update.disabledForTesting': true,
  'browser.contentblocking.report.lockwise.enabled': false,
  'browser.safebrowsing.downloads.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'dom.push.connection.enabled': false,
  'media.gmp-manager.url': '',
  'media.gmp-manager.updateEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'network.proxy.no_proxies_on': '127.0.0.1, localhost',
  'network.proxy.allow_hijacking_localhost': false,
  'network.proxy.type': 1,
  'network.proxy.http': '127.0.0.1',
  'network.proxy.http_port': 9,
  'network.proxy.ssl': '127.0.0.1',
  'network.proxy.ssl_port': 9,
  'services.settings.server': 'data:,none',
  'toolkit.telemetry.server': '',
};

/** Firefox ESR does not know all that a change of the viewport asks of it. */
const WINDOW = ['--width=1366', '--height=768'];

/** Launches the browser; `preferences` overlay the quiet ones. */
export function launchFirefox({ preferences = {}, executablePath = FIREFOX } = {}) {
  return puppeteer.launch({
    browser: 'firefox',
    executablePath,
    headless: true,
    defaultViewport: null,
    args: WINDOW,
    extraPrefsFirefox: { ...PREFERENCES, ...preferences },
  });
}

/** The driver's own script, run in a document that a reload has already replaced. */
const OF_A_DEAD_DOCUMENT = /NS_ERROR_NOT_AVAILABLE.*:: impersonate ::|Permission denied to access property "length"$/;

const LANGUAGES = { ar: 'العربية', fr: 'Français', en: 'English' };

/** Runs in the page: the first shown element of a selector whose accessible words match. */
function find(selector, source, flags) {
  const wanted = new RegExp(source, flags);
  const words = (element) =>
    element.getAttribute('aria-label') ?? (element.labels?.[0]?.textContent || element.textContent).trim();
  return (
    [...document.querySelectorAll(selector)].find(
      (element) => element.checkVisibility({ visibilityProperty: true }) && wanted.test(words(element)),
    ) ?? null
  );
}

/** Somebody in a Firefox window of their own. `hue` is what their camera carries. */
export class FirefoxPerson {
  static async open(browser, school, options) {
    const person = Object.assign(new FirefoxPerson(), {
      language: 'ar',
      hue: 0,
      problems: [],
      requests: [],
      ...options,
      url: school.url,
    });
    person.context = await browser.createBrowserContext();
    person.page = await person.context.newPage();
    await person.page.evaluateOnNewDocument(impersonate, { hue: person.hue, hz: null });
    person.page.on('pageerror', (error) => {
      if (!OF_A_DEAD_DOCUMENT.test(String(error))) person.problems.push(String(error));
    });
    person.page.on('request', (request) => person.requests.push(request.url()));
    witnesses.add(person);
    return person;
  }

  t(key, args) {
    return label(this.language, key, args);
  }

  /** Waits for an element by its words and gives it. */
  async element(selector, words) {
    const { source, flags } =
      words instanceof RegExp ? words : new RegExp(`^${words.replace(/[.*+?^$()|[\]\\]/g, '\\$&')}$`);
    let found;
    await eventually(`${selector} "${source}" in Firefox`, async () => {
      found = (await this.page.evaluateHandle(find, selector, source, flags)).asElement();
      return found !== null;
    });
    return found;
  }

  async press(key, selector = 'button') {
    await (await this.element(selector, pattern(this.language, key))).click();
  }

  async fill(selector, words, text) {
    const field = await this.element(selector, words);
    await field.click();
    await field.type(text);
  }

  async signIn() {
    await this.page.goto(this.url);
    await (await this.element('label', LANGUAGES[this.language])).click();
    await this.fill('input', this.t('signIn.login'), this.login);
    await this.fill('input', this.t('signIn.password'), PASSWORD);
    await this.press('signIn.submit');
  }

  /** From home into the lesson of now, through the check where it appears. */
  async enterLesson() {
    const enter = ['home.start', 'home.open', 'home.join', 'home.resume'];
    const join = ['check.join', 'check.startTeacher', 'check.enterTeacher'];
    await (await this.element('button', this.#oneOf(enter))).click();
    await (await this.element('button', this.#oneOf(join))).click();
    await this.page.waitForSelector('[role=toolbar]');
  }

  #oneOf(keys) {
    return new RegExp(`^(${keys.map((key) => pattern(this.language, key).source).join('|')})$`);
  }

  async openChat() {
    if (!(await this.page.$('#chat-input'))) await this.press('bar.chat', '[role=toolbar] button');
    await this.page.waitForSelector('#chat-input');
  }

  async say(text) {
    await this.openChat();
    await this.fill('textarea', this.t('chat.input'), text);
    await this.page.keyboard.press('Enter');
  }

  async shows(key) {
    const { source, flags } = pattern(this.language, key);
    return (await this.page.evaluateHandle(find, 'button', source, flags)).asElement() !== null;
  }

  /** True when the tone stands out of the silence in what the page plays. */
  async hears(hz) {
    return hearsRecorded(this.page, hz);
  }

  async reads(text) {
    return this.page.evaluate((text) => document.querySelector('[role=log]')?.innerText.includes(text) ?? false, text);
  }

  account(picture) {
    return accountOfPage(this, picture);
  }

  async close() {
    witnesses.delete(this);
    await this.context.close();
  }
}
