"use strict";
(() => {
  const find = document.getElementById("find");
  const type = document.getElementById("type");
  const shown = document.getElementById("shown");
  const nothing = document.getElementById("nothing");
  const files = [...document.querySelectorAll("details.file")];
  const wasOpen = new Map(files.map((file) => [file, file.open]));
  document.querySelector(".filters").hidden = false;

  function apply() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = type.value;
    const filtering = words.length > 0 || wanted !== "";
    let rows = 0;
    for (const file of files) {
      const path = file.querySelector(".path").textContent.toLowerCase();
      let here = 0;
      for (const row of file.querySelectorAll("tr[data-type]")) {
        const text = path + " " + row.textContent.toLowerCase();
        const fits = (!wanted || row.dataset.type === wanted) && words.every((word) => text.includes(word));
        row.hidden = !fits;
        here += fits ? 1 : 0;
      }
      file.hidden = filtering && here === 0;
      file.open = filtering ? here > 0 : wasOpen.get(file);
      rows += here;
    }
    shown.textContent = filtering ? `${rows} ${rows === 1 ? "line" : "lines"}` : "";
    nothing.hidden = !(filtering && rows === 0);
  }

  find.addEventListener("input", apply);
  type.addEventListener("change", apply);
  addEventListener("beforeprint", () => files.forEach((file) => { file.open = true; }));
  addEventListener("afterprint", apply);
})();
