// What a person does on the page, in a real browser: look, zoom, search, scroll, open, tail, label.
// Run by core/cli/tests/page.rs as: node check.cjs ADDRESS ROWS [SCREENSHOTS]

const assert = require("node:assert/strict");
const { chromium } = require("playwright-core");

const [base, rows, pictures] = process.argv.slice(2);
const PATIENCE = 60000;
const took = [];

/** Does something and notes how long it took, for reading, not for judging. */
async function timed(name, action) {
  const start = performance.now();
  await action();
  took.push(`${name} ${Math.round(performance.now() - start)} ms`);
}

async function picture(page, name) {
  if (pictures) await page.screenshot({ path: `${pictures}/${name}.png` });
}

async function overview(page) {
  await timed("overview", async () => {
    await page.goto(`${base}/#overview?from=`);
    await page.locator(".tile b").first().filter({ hasText: /\d/ }).waitFor();
    await page.locator(".chart .u-over").waitFor();
  });
  assert.match(await page.locator(".tile").last().innerText(), Number(rows) >= 1e6 ? /1(\.\d)?M/ : /\d/);
  await page.locator("section", { hasText: "Services" }).locator("tbody tr").first().waitFor();
  await picture(page, "overview");
  const box = await page.locator(".chart .u-over").boundingBox();
  await timed("zoom", async () => {
    await page.mouse.move(box.x + box.width * 0.3, box.y + 60);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.5, box.y + 60, { steps: 5 });
    await page.mouse.up();
    await page.waitForURL(/from=\d{4}.*to=\d{4}/);
    await page.locator("#range [aria-pressed=true]", { hasText: "–" }).waitFor();
  });
}

async function search(page) {
  await page.goto(`${base}/#logs?from=`);
  await page.locator(".rows .row").nth(20).waitFor();
  await timed("condition", async () => {
    await page.fill("#search", '.level == "ERROR" && .n > 1000');
    await page.keyboard.press("Enter");
    await page.waitForURL(/where=/);
    await page.locator(".rows .row .level.error").nth(10).waitFor();
  });
  const levels = await page.locator(".rows .row .level").allInnerTexts();
  assert.deepEqual([...new Set(levels)], ["ERROR"]);
  await page.fill("#search", ".level ==");
  await page.keyboard.press("Enter");
  await page.locator(".mistake", { hasText: "where" }).waitFor();
  await page.fill("#search", "");
  await page.keyboard.press("Enter");
  await page.locator(".facet", { hasText: "WARNING" }).click();
  await page.waitForURL(/level=WARNING/);
  await page.locator(".rows .row .level.warning").nth(10).waitFor();
  await page.locator(".chip", { hasText: "level: WARNING" }).click();
  await page.waitForURL((url) => !url.hash.includes("level="));
}

async function scroll(page) {
  await page.locator(".rows .row").nth(20).waitFor();
  const scroller = page.locator(".scroller");
  const size = () => scroller.evaluate((element) => element.scrollHeight);
  for (let pages = 0; pages < 10; pages += 1) {
    const before = await size();
    await scroller.evaluate((element) => { element.scrollTop = element.scrollHeight; });
    await page.waitForFunction((old) => document.querySelector(".scroller").scrollHeight > old, before, { timeout: PATIENCE });
  }
  assert.ok(await size() > 2000 * 26, "ten pages of rows");
  assert.ok(await page.locator(".rows .row").count() < 150, "only rows in sight are elements");
}

/** A line that would be a script anywhere else stays text, in the table, in the detail and in the tail. */
async function hostile(page) {
  await timed("words", async () => {
    await page.goto(`${base}/#logs?from=&text=hostile`);
    await page.locator(".rows .row .message", { hasText: "<script>" }).waitFor();
  });
  await page.locator(".rows .row .message", { hasText: "<script>" }).click();
  const message = page.locator(".detail pre.message");
  await message.waitFor();
  assert.match(await message.innerText(), /^hostile <script>window\.hacked = 1<\/script><img src=x onerror=/);
  await page.waitForURL(/#logs\/\d+/);
  assert.equal(await page.locator("main script, main img").count(), 0);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  await page.locator(".detail .context.current").waitFor();
  assert.ok(await page.locator(".detail .context").count() > 3, "its neighbours");
  const permalink = page.url();
  await page.locator(".detail button[title='Add to the filter']").first().click();
  await page.waitForURL(/where=/);
  await page.goto("about:blank");
  await page.goto(permalink);
  await page.locator(".detail pre.message", { hasText: "hostile" }).waitFor();
}

async function details(page) {
  await page.goto("about:blank");
  await page.goto(`${base}/#logs?from=-1h`);
  await page.locator(".rows .row").nth(20).waitFor();
  await page.locator(".scroller").focus();
  for (const key of ["j", "x", "j", "x", "Enter"]) await page.keyboard.press(key);
  await page.locator(".detail .fields tr").first().waitFor();
  await page.locator(".detail .context.current").waitFor();
  await picture(page, "logs");
  await page.locator(".search button", { hasText: "[[tests]]" }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(copied, /^\[\[tests\]\][^]*insert_at = "parsed"\nevents = \[\n {2}\{ level = /);
  await page.keyboard.press("Escape");
  await page.locator(".detail").waitFor({ state: "hidden" });
}

async function tail(page) {
  await page.keyboard.press("t");
  await page.locator(".told", { hasText: "live" }).waitFor();
  await page.locator(".rows .row").nth(10).waitFor();
  await page.keyboard.press("p");
  await page.locator(".told", { hasText: /paused, [1-9]/ }).waitFor();
  const first = await page.locator(".rows .row .message").first().innerText();
  await page.locator(".told", { hasText: /paused, \d\d/ }).waitFor();
  assert.equal(await page.locator(".rows .row .message").first().innerText(), first, "nothing moves in a pause");
  await page.keyboard.press("p");
  await page.waitForFunction((text) => document.querySelector(".rows .row .message").textContent !== text, first);
  await page.keyboard.press("t");
}

async function anomalies(page) {
  await page.keyboard.press("3");
  await page.locator("#range button", { hasText: "All" }).click();
  await page.locator(".card .reason").first().waitFor();
  await page.locator(".card button", { hasText: "noise" }).first().click();
  await page.locator(".card button[aria-pressed=true]", { hasText: "noise" }).waitFor();
  await page.check("#hide-noise");
  await page.waitForFunction(() => document.querySelectorAll(".card button[aria-pressed=true]").length === 0);
  await page.uncheck("#hide-noise");
  await page.locator(".card button[aria-pressed=true]", { hasText: "noise" }).waitFor();
  await picture(page, "anomalies");
}

async function system(page) {
  await page.keyboard.press("4");
  await page.locator(".node", { hasText: "parsed" }).click();
  await page.locator(".tap .line").nth(3).waitFor();
  assert.ok(await page.locator(".node .small", { hasText: "✓" }).count() >= 4, "ledgers balance");
  await picture(page, "topology");
  await page.keyboard.press("5");
  await page.locator(".config", { hasText: '"sources"' }).waitFor();
  await page.keyboard.press("d");
  await page.keyboard.press("1");
  await page.locator(".chart .u-over").waitFor();
  await picture(page, "dark");
  await page.goto(`${base}/docs`);
  await page.locator(".opblock", { hasText: "/logs/{id}" }).first().waitFor();
}

async function main() {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "light", permissions: ["clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error.stack)));
  page.on("console", (message) => { if (message.type() === "error" && !/status of 400/.test(message.text())) wrong.push(message.text()); });
  page.on("request", (request) => { if (!request.url().startsWith(base) && !/^(data|about|blob):/.test(request.url())) wrong.push(`asks ${request.url()}`); });
  for (const part of [overview, search, scroll, hostile, details, tail, anomalies, system]) {
    console.log(part.name);
    await part(page);
  }
  assert.deepEqual(wrong, []);
  console.log(took.join(", "));
  await browser.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
