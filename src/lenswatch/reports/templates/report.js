// Sorting and filtering of the table of findings. Without scripts the whole table is simply there.
(() => {
  "use strict";
  const table = document.getElementById("all-findings");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const filters = document.getElementById("filters");
  const words = document.getElementById("filter-words");
  const verdict = document.getElementById("filter-verdict");
  const count = document.getElementById("filter-count");
  const texts = rows.map((row) => row.textContent.toLowerCase());

  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, i) => {
      const fits =
        (!verdict.value || row.dataset.verdict === verdict.value) &&
        wanted.every((word) => texts[i].includes(word));
      row.hidden = !fits;
      if (fits) shown += 1;
    });
    count.textContent = count.dataset.text.replace("{shown}", shown).replace("{all}", rows.length);
  };

  const collator = new Intl.Collator(document.documentElement.lang, { numeric: true });
  const sort = (header, column) => {
    const down = header.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => {
      const cell = row.cells[column];
      const given = cell.dataset.sort;
      if (given === undefined) return cell.textContent.trim();
      return given === "" ? "" : Number(given);
    };
    const keyed = rows.map((row) => [key(row), row]);
    keyed.sort(([a], [b]) => {
      const empty = (value) => value === "" || Number.isNaN(value);
      if (empty(a) || empty(b)) return empty(a) - empty(b); // empty cells stay last
      const order = typeof a === "number" && typeof b === "number" ? a - b : collator.compare(a, b);
      return down ? -order : order;
    });
    body.append(...keyed.map(([, row]) => row));
  };

  table.querySelectorAll("thead th").forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    button.addEventListener("click", () => sort(header, column));
    header.replaceChildren(button);
  });
  words.addEventListener("input", filter);
  verdict.addEventListener("change", filter);
  filters.hidden = false;
  filter();
})();
