// What a person does on the page, in a real browser: look, zoom, search, scroll, open, tail, label.
// Run by core/cli/tests/page.rs as: node check.cjs ADDRESS ROWS|TOKEN [SCREENSHOTS]

const assert = require("node:assert/strict");
const { chromium } = require("playwright-core");

const [base, rows, pictures] = process.argv.slice(2);
const PATIENCE = 60000;

async function picture(page, name) {
  if (pictures) await page.screenshot({ path: `${pictures}/${name}.png` });
}

async function overview(page) {
  await page.goto(`${base}/#overview?from=`);
  await page.locator(".tile b").first().filter({ hasText: /\d/ }).waitFor();
  await page.locator(".chart .u-over").waitFor();
  assert.match(await page.locator(".tile").last().innerText(), Number(rows) >= 1e6 ? /1(\.\d)?M/ : /\d/);
  await page.locator("section", { hasText: "Services" }).locator("tbody tr").first().waitFor();
  await picture(page, "overview");
  const box = await page.locator(".chart .u-over").boundingBox();
  await page.mouse.move(box.x + box.width * 0.3, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 60, { steps: 5 });
  await page.mouse.up();
  await page.waitForURL(/from=\d{4}.*to=\d{4}/);
  await page.locator("#range [aria-pressed=true]", { hasText: "–" }).waitFor();
}

/** What the facets say, once they are those of the search: names and counts. */
async function facets(page, title) {
  await page.locator(".facets[aria-busy=false]").waitFor();
  const lines = await page.locator(`.facets section[aria-label=${title}] .facet`).allInnerTexts();
  return Object.fromEntries(lines.map((line) => line.split("\n")));
}

async function search(page) {
  await page.goto(`${base}/#logs?from=`);
  await page.locator(".rows .row").nth(20).waitFor();
  const all = await facets(page, "Level");
  assert.ok(Object.keys(all).length >= 4, JSON.stringify(all));
  await page.fill("#search", '.level == "ERROR" && .n < 640000 && .n >= 600000');
  await page.keyboard.press("Enter");
  await page.waitForURL(/where=/);
  await page.locator(".rows .row .level.error").nth(10).waitFor();
  // The facets follow the search; on a slow machine the first sample may miss it.
  await page.waitForFunction(() => [...document.querySelectorAll(".facets section[aria-label=Level] .facet span")].map((one) => one.textContent).join() === "ERROR");
  assert.notEqual((await facets(page, "Level")).ERROR, all.ERROR);
  const exact = await page.evaluate(async (where) => (await fetch(`/facets?events=2000000&time_ms=10000&where=${encodeURIComponent(where)}`)).json(), await page.inputValue("#search"));
  assert.deepEqual([exact.total, exact.is_estimate], [16000, false]);
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

const number = (text) => Number(/\d+/.exec(text)[0]);

/** The numbers of the events in sight that are held, from the top. */
async function numbers(page) {
  await page.waitForFunction(() => document.querySelectorAll(".rows .row:not(.waiting)").length > 20 && !document.querySelector(".rows .row.waiting"), undefined, { timeout: PATIENCE });
  return (await page.locator(".rows .row .message").allInnerTexts()).filter((text) => /^Request/.test(text)).map(number);
}

/** To any place among a million events, from there on in both directions, and to both ends. */
async function leap(page) {
  await page.goto("about:blank");
  await page.goto(`${base}/#logs?from=`);
  await page.locator(".facets[aria-busy=false]").waitFor();
  const scroller = page.locator(".scroller");
  await scroller.evaluate((element) => { element.scrollTop = element.scrollHeight / 2; });
  await page.locator(".rows .row .message", { hasText: /Request (4[5-9]|5[0-5])\d{4} / }).first().waitFor();
  const isInOrder = (all) => all.every((one, at) => at === 0 || one < all[at - 1]);
  assert.ok(await page.locator(".rows .row").count() < 150, "only rows in sight are elements");
  const middle = await numbers(page);
  assert.ok(isInOrder(middle), `${middle}`);
  for (const direction of [1, -1]) {
    const before = await numbers(page);
    for (let step = 0; step < 40; step += 1) {
      await scroller.evaluate((element, by) => { element.scrollTop += by; }, direction * 400);
      await numbers(page);
    }
    const after = await numbers(page);
    assert.ok(isInOrder(after), `${after}`);
    // Forty steps of 400 pixels are some 615 rows.
    const went = direction * (before[0] - after[0]);
    assert.ok(went > 500 && went < 700, `went ${went} events`);
  }
  await scroller.focus();
  await page.keyboard.press("End");
  await page.locator(".rows .row .message", { hasText: "Request 0 answered" }).waitFor();
  await page.locator(".end", { hasText: "The oldest of" }).waitFor();
  await page.keyboard.press("Home");
  await page.locator(".told", { hasText: /^1–/ }).waitFor();
  await page.locator(".rows .row[data-number='0']").waitFor();
  // A click on the timeline goes to that time.
  const box = await page.locator(".chart .u-over").boundingBox();
  await page.mouse.click(box.x + box.width * 0.25, box.y + 40);
  await page.locator(".rows .row .message", { hasText: /Request 2[2-8]\d{4} / }).first().waitFor();
}

/** Bursts and anomalies are marked on the timeline of the events too; a click on a mark goes to its time. */
async function marks(page) {
  for (const view of ["overview", "logs"]) {
    await page.goto("about:blank");
    await page.goto(`${base}/#${view}?from=`);
    const mark = page.locator(".chart .burst-mark");
    await mark.first().waitFor();
    assert.equal(await mark.count(), 1);
    assert.match(await mark.getAttribute("title"), /^burst of all events\n/);
    const box = await mark.boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + 40);
    await page.locator(".chart .hover .burst", { hasText: "burst of all events" }).waitFor();
    await mark.focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(/from=\d{4}.*to=\d{4}/);
    const range = new URLSearchParams(page.url().split("?").pop());
    // It lasts 40,000 of the million events of a day; a quarter is left beside it on either side.
    const minutes = (Date.parse(range.get("to")) - Date.parse(range.get("from"))) / 60e3;
    assert.ok(minutes > 80 && minutes < 95, `${minutes} minutes`);
  }
  await page.goto("about:blank");
  await page.goto(`${base}/#logs?from=&anomalies=true`);
  await page.locator(".facets[aria-busy=false]").waitFor();
  await page.locator(".chart .u-over").waitFor();
  // In a timeline of anomalies alone their mark is above the bar of one; the chart says where it is.
  const at = await page.evaluate(() => {
    const over = document.querySelector(".chart .u-over").getBoundingClientRect();
    const canvas = document.querySelector(".chart canvas");
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const wanted = getComputedStyle(document.documentElement).getPropertyValue("--anomaly").trim();
    const [red, green, blue] = [1, 3, 5].map((from) => parseInt(wanted.slice(from, from + 2), 16));
    for (let at = 0; at < pixels.data.length; at += 4) {
      if (pixels.data[at] === red && pixels.data[at + 1] === green && pixels.data[at + 2] === blue) {
        const box = canvas.getBoundingClientRect();
        return { x: box.x + ((at / 4) % canvas.width) / devicePixelRatio, y: box.y + Math.floor(at / 4 / canvas.width) / devicePixelRatio + 4, left: over.x };
      }
    }
    return undefined;
  });
  assert.ok(at, "an anomaly is marked");
  await page.mouse.click(at.x, at.y);
  await page.waitForURL(/from=\d{4}.*to=\d{4}/);
  await page.locator(".rows .row").first().waitFor();
}

/** A link that was copied shows the same to somebody else, later. */
async function link(page) {
  await page.goto("about:blank");
  await page.goto(`${base}/#logs?from=-6h&level=WARNING`);
  await page.locator(".rows .row .level.warning").nth(10).waitFor();
  await page.locator(".rows .row").nth(7).click();
  await page.locator(".detail .fields tr").first().waitFor();
  const message = await page.locator(".detail pre.message").innerText();
  await page.keyboard.press("l");
  await page.locator("#link", { hasText: "Copied" }).waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(copied, /#logs\/\d+\?from=\d{4}-.*level=WARNING&to=\d{4}-/);
  const other = await page.context().newPage();
  await other.goto(copied);
  await other.locator(".detail pre.message", { hasText: message }).waitFor();
  await other.locator(".rows .row.current .message", { hasText: message }).waitFor();
  await other.locator("#range [aria-pressed=true]", { hasText: "–" }).waitFor();
  assert.deepEqual([...new Set(await other.locator(".rows .row .level").allInnerTexts())], ["WARNING"]);
  await other.close();
}

/** A line that would be a script anywhere else stays text, in the table, in the detail and in the tail. */
async function hostile(page) {
  await page.goto(`${base}/#logs?from=&text=hostile`);
  await page.locator(".rows .row .message", { hasText: "<script>" }).waitFor();
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

/** Where an element is; the table may have been drawn anew since it was found. */
async function box(locator) {
  for (let tries = 0; tries < 100; tries++) {
    const found = await locator.boundingBox();
    if (found) return found;
    await locator.page().waitForTimeout(20);
  }
  throw new Error(`${locator} is not to be seen`);
}

/** Many lines are one in the table, and a long text is cut until somebody asks for all of it. */
async function shapes(page) {
  await page.goto("about:blank");
  await page.goto(`${base}/#logs?from=`);
  await page.locator(".facets[aria-busy=false]").waitFor();
  const [chart, place] = [await box(page.locator(".chart .u-over")), await box(page.locator(".chart .place"))];
  assert.ok(place.x > chart.x + 0.9 * chart.width, "what is in sight is marked at the end, where it is");
  await page.goto("about:blank");
  await page.goto(`${base}/#logs?from=&text=Traceback`);
  const message = page.locator(".rows .row .message");
  await message.first().waitFor();
  assert.ok((await box(message.first())).height <= 26, "a row is as high as any other");
  assert.match(await message.first().innerText(), /^Traceback of ↵ many ↵ lines/);
  await message.first().click();
  await page.locator(".detail pre.message", { hasText: "Traceback of\nmany" }).waitFor();
  await page.goto(`${base}/#logs?from=&text=story`);
  await page.locator(".rows .row .message", { hasText: "A long story." }).first().click();
  const long = page.locator(".detail pre.message", { hasText: "A long story." });
  await long.waitFor();
  assert.ok((await long.innerText()).length < 20000);
  await page.locator(".detail pre.message button", { hasText: "280,000 characters" }).click();
  assert.ok((await long.innerText()).length >= 279999);
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
  const letters = page.locator("tr", { hasText: "<b>refused</b>" });
  await letters.nth(1).waitFor();
  const oldest = page.locator("tr", { hasText: "an older letter, 0." });
  assert.equal(await oldest.count(), 0);
  await page.locator("button", { hasText: "Older" }).click();
  await oldest.waitFor();
  assert.ok(await page.locator("button", { hasText: "Older" }).isHidden(), "there are no older ones");
  await letters.first().locator("button", { hasText: "Drop" }).click();
  await page.waitForFunction(() => [...document.querySelectorAll("tr")].filter((row) => row.textContent.includes("<b>refused</b>")).length === 1);
  const title = await letters.first().getAttribute("data-id");
  await letters.first().locator("button", { hasText: "Replay" }).click();
  // It is refused again, and is another letter then.
  await page.locator(`tr[data-id]:not([data-id="${title}"])`, { hasText: "<b>refused</b>" }).waitFor();
  await page.keyboard.press("d");
  await page.keyboard.press("1");
  await page.locator(".chart .u-over").waitFor();
  await picture(page, "dark");
  await page.goto(`${base}/docs`);
  await page.locator(".opblock", { hasText: "/logs/{id}" }).first().waitFor();
}

const ROUNDS = 30;

/**
 * How long it takes in the page itself from an act until what it is for is there, and how long the server took at most for one
 * answer. For reading, not for judging: the machine may be busy.
 */
async function measure(page, name, act, isDone) {
  const [times, answers] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    const { took, asked } = await page.evaluate(`(async () => {
      const [act, isDone] = [${act}, ${isDone}];
      performance.clearResourceTimings();
      // Looked at whenever something has changed: a loop that asks would take one of two processors.
      const changed = () => new Promise((next) => {
        const late = setTimeout(next, ${PATIENCE});
        const observer = new MutationObserver(() => { observer.disconnect(); clearTimeout(late); next(); });
        observer.observe(document.body, { subtree: true, childList: true, attributes: true });
      });
      const start = performance.now();
      let change = changed();
      act(${round});
      // An act is an address most often: it counts once the page has taken it up.
      while (document.getElementById("main").dataset.address !== location.hash || !isDone(${round})) {
        await change;
        change = changed();
        if (performance.now() - start > ${PATIENCE}) throw new Error("not done");
      }
      const asked = performance.getEntriesByType("resource").filter((one) => one.requestStart >= start);
      return { took: performance.now() - start, asked: asked.flatMap((one) => one.serverTiming.filter((part) => part.name === "total").map((part) => part.duration)) };
    })()`);
    times.push(took);
    answers.push(...asked);
  }
  times.sort((a, b) => a - b);
  console.log(`| ${name} | ${Math.round(times[ROUNDS / 2])} | ${Math.round(times[ROUNDS - 1])} | ${Math.round(Math.max(0, ...answers))} |`);
}

async function speed(page) {
  console.log(`| on a million events, ${ROUNDS} times | median ms | worst ms | the server's slowest answer ms |\n|---|--:|--:|--:|`);
  const fresh = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await page.goto("about:blank");
    await page.goto(`${base}/#overview?from=`);
    await page.locator(".tile b").first().filter({ hasText: /\d/ }).waitFor();
    fresh.push(await page.evaluate(() => performance.getEntriesByName("interactive")[0].startTime));
  }
  fresh.sort((a, b) => a - b);
  console.log(`| the page is there with its figures | ${Math.round(fresh[ROUNDS / 2])} | ${Math.round(fresh[ROUNDS - 1])} | |`);
  const shown = '() => document.querySelector("main > [aria-busy]")?.ariaBusy === "false"';
  const rowsOf = (text) => `(round) => location.hash.includes(${text}) && document.querySelector(".rows .row[data-number]") !== null`;
  const counted = (text) => `(round) => location.hash.includes(${text}) && document.querySelector(".facets").ariaBusy === "false"`;
  await measure(page, "zoom of the overview", '(round) => { const day = Date.now() - 864e5; location.hash = `overview?from=${new Date(day + round * 1e6).toISOString()}&to=${new Date(day + 4e7 + round * 1e6).toISOString()}`; }', shown);
  await measure(page, "to the logs", '(round) => { location.hash = round % 2 ? "logs?from=-24h" : "logs?from=-23h"; }', rowsOf('"logs"'));
  const conditions = '(round) => { location.hash = `logs?from=&where=${encodeURIComponent(`.level == "ERROR" && .n > ${1000 + ROUND}`)}`; }';
  await measure(page, "search for a condition: events", conditions.replace("ROUND", "round"), rowsOf("1000 + round"));
  await measure(page, "search for a condition: counts", conditions.replace("ROUND", "100 + round"), counted("1100 + round"));
  await measure(page, "search for a frequent word: events", '(round) => { location.hash = `logs?from=&text=answered&severity=${round}`; }', rowsOf("`severity=${round}`"));
  await measure(page, "search for a frequent word: counts", '(round) => { location.hash = `logs?from=&text=answered&severity=1${round}`; }', counted("`severity=1${round}`"));
  await measure(page, "search for a rare word", '(round) => { location.hash = `logs?from=&text=${999000 - 1000 * round - 1}`; }', rowsOf("999000 - 1000 * round - 1"));
  await measure(page, "a facet", '(round) => { location.hash = `logs?from=&level=${["ERROR", "WARNING"][round % 2]}`; }', rowsOf('["ERROR", "WARNING"][round % 2]'));
  await page.evaluate(() => { location.hash = "logs?from="; });
  await page.locator(".facets[aria-busy=false]").waitFor();
  await measure(page, "scroll to another place", '(round) => { const all = document.querySelector(".scroller"); all.scrollTop = (all.scrollHeight * (round + 1)) / 33; }',
    '(round) => { const first = document.querySelector(".rows .row[data-number]"); return first && Math.abs(Number(first.dataset.number) - (1e6 * (round + 1)) / 33) < 3e4; }');
  await page.waitForFunction(() => document.querySelectorAll(".rows .row[data-number]").length > 20);
  await measure(page, "open an event", '(round) => document.querySelectorAll(".rows .row[data-number]")[3 + (round % 15)].click()', '() => document.querySelector(".detail .context.current") !== null && document.querySelector(".detail .context.current .message").textContent === document.querySelector(".rows .row.current .message").textContent');
  await measure(page, "the anomalies", '(round) => { location.hash = round % 2 ? "anomalies?from=" : "anomalies?from=-23h"; }', '() => document.querySelector(".card") !== null');
}

/** A server with a token asks for it, again if it was wrong, and then shows all. */
async function token(page) {
  await page.goto(`${base}/#logs?from=`);
  const input = page.locator("#notice input[name=token]");
  await input.waitFor();
  assert.equal(await page.locator("main").innerText(), "", "nothing is said of stores that nobody may see");
  await input.fill("wrong");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("#notice input")?.value === "");
  await input.fill(rows);
  await page.keyboard.press("Enter");
  await page.locator(".rows .row[data-number]").first().waitFor();
  assert.equal(await page.locator("#notice").innerText(), "");
  await page.keyboard.press("t");
  await page.locator(".told", { hasText: "live" }).waitFor();
}

async function main() {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "light", permissions: ["clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error.stack)));
  page.on("console", (message) => { if (message.type() === "error" && !/status of 40[01]/.test(message.text())) wrong.push(message.text()); });
  page.on("request", (request) => { if (!request.url().startsWith(base) && !/^(data|about|blob):/.test(request.url())) wrong.push(`asks ${request.url()}`); });
  const parts = /^\d+$/.test(rows) ? [overview, search, leap, marks, hostile, shapes, link, details, tail, anomalies, system, speed] : [token];
  for (const part of parts) {
    console.log(part.name);
    await part(page);
  }
  assert.deepEqual(wrong, []);
  await browser.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
