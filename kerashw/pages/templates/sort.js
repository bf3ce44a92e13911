"use strict";
// A click on a heading sorts its table by that column, a second click turns the order round; empty fields stay last.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const keyed = Array.from(body.rows, (row) => {
        const cell = row.cells[column];
        const value = cell.dataset.value;
        return { row, text: cell.textContent, value: value === undefined ? NaN : Number(value) };
      });
      keyed.sort((a, b) => {
        if ((a.text === "") !== (b.text === "")) return a.text === "" ? 1 : -1;
        const numbers = !Number.isNaN(a.value) && !Number.isNaN(b.value);
        const order = numbers ? a.value - b.value : a.text.localeCompare(b.text, "en", { numeric: true });
        return falling ? -order : order;
      });
      body.append(...keyed.map((one) => one.row));
    });
  });
}
