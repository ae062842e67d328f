// The facets of a search: how many events of each level, service and template; a click narrows the search to them.

import { h, put } from "./dom.js";
import { compact, levelClass, oneLine } from "./format.js";
import * as state from "./state.js";

const VALUES = 20;

/** Counts with the values that are chosen but not among them. */
function withChosen(counts, chosen) {
  const known = new Set(counts.map(([value]) => value));
  return [...counts.slice(0, VALUES), ...chosen.filter((value) => !known.has(value)).map((value) => [value, 0, value])];
}

function facet(title, name, counts, { parameters, about, isMany }) {
  const chosen = (parameters.get(name) ?? "").split(",").filter(Boolean);
  const switchTo = (value) => {
    const others = isMany ? chosen.filter((one) => one !== value) : [];
    state.change({ [name]: (chosen.includes(value) ? others : [...others, value]).join(",") || undefined });
  };
  const line = ([value, number, text]) => h("button", { class: "facet", "aria-pressed": String(chosen.includes(value)), title: oneLine(text), onclick: () => switchTo(value) },
    h("span", { class: name === "level" ? `swatch ${levelClass(value)}` : "" }, oneLine(text)), h("small", {}, `${about}${compact(number)}`));
  const lines = withChosen(counts.filter(([value]) => value), chosen).map(line);
  return lines.length > 0 && h("section", { "aria-label": title }, h("h3", {}, title), lines);
}

/** Shows what /facets says; the counts of a sample stand behind a wave. */
export function showFacets(element, found) {
  const { parameters } = state.read();
  const about = found.is_estimate ? "~" : "";
  const anomalies = parameters.get("anomalies") === "true";
  put(element,
    facet("Level", "level", found.levels.map((one) => [one.level, one.count, one.level]), { parameters, about, isMany: true }),
    facet("Service", "service", found.services.map((one) => [one.service, one.total, one.service]), { parameters, about, isMany: true }),
    h("section", { "aria-label": "Only" }, h("h3", {}, "Only"),
      h("button", { class: "facet", "aria-pressed": String(anomalies), onclick: () => state.change({ anomalies: anomalies ? undefined : "true" }) },
        h("span", { class: "swatch anomaly" }, "anomalies"), h("small", {}, `${about}${compact(found.anomalies)}`))),
    facet("Template", "template", found.templates.map((one) => [one.id, one.count, one.text || one.id]), { parameters, about: found.is_estimate_of_templates ? "~" : "", isMany: false }));
}
