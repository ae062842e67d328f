// Selected events as a `[[tests]]` case for a topology file.

/** A value in TOML. JSON's strings are TOML's; null has no counterpart and is left out. */
function toml(value) {
  if (Array.isArray(value)) return `[${value.filter((one) => one !== null).map(toml).join(", ")}]`;
  if (value !== null && typeof value === "object") {
    const pairs = Object.entries(value).filter(([, one]) => one !== null);
    return `{ ${pairs.map(([name, one]) => `${key(name)} = ${toml(one)}`).join(", ")} }`;
  }
  return JSON.stringify(value).replaceAll("\u007f", "\\u007f");
}

const key = (name) => (/^[A-Za-z0-9_-]+$/.test(name) ? name : JSON.stringify(name));

/** An event of the store with its columns as the fields that they were. */
export function eventOf(row) {
  const event = {};
  for (const name of ["level", "service", "message", "template_id", "template"]) if (row[name] !== null && row[name] !== undefined) event[name] = row[name];
  return { ...event, ...row.fields };
}

/** The case, the oldest first: the events go into `component` and are expected behind it. */
export function testCase(rows, component) {
  const list = [...rows].sort((a, b) => Date.parse(a.timestamp) - Date.parse(b.timestamp)).map((row) => `  ${toml(eventOf(row))},`).join("\n");
  return `[[tests]]
name = "events of ${new Date().toISOString().slice(0, 10)}"
[[tests.inputs]]
insert_at = "${component}"
events = [
${list}
]
[[tests.outputs]]
extract_from = "${component}"
events = [
${list}
]
`;
}
