const STEP = 10, items = [...document.querySelectorAll(".item")], pick = id => document.getElementById(id);
let limit = STEP;
function filter() {
  const contrast = pick("contrast").value, change = pick("change").value, words = pick("words").value.toLowerCase();
  const fits = items.filter(item => (!contrast || item.dataset.contrast === contrast)
    && (!change || item.dataset.change === change) && item.textContent.toLowerCase().includes(words));
  for (const item of items) item.hidden = true;
  for (const item of fits.slice(0, limit)) item.hidden = false;
  pick("count").textContent = fits.length + " of " + items.length;
  pick("more").hidden = fits.length <= limit;
  pick("more").textContent = "show more of the " + (fits.length - limit) + " that are left";
}
for (const id of ["contrast", "change", "words"]) pick(id).addEventListener("input", () => { limit = STEP; filter(); });
pick("more").addEventListener("click", () => { limit += STEP; filter(); });
filter();
