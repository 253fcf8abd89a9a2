// When each speed of the selected vehicle came to the screen: [km/h, milliseconds since 1970].
() => {
  window.speeds = [];
  const drawer = document.querySelector("#drawer");
  let before = null;
  new MutationObserver(() => {
    const tile = [...drawer.querySelectorAll(".tile")].find(({ textContent }) => textContent.includes("km/h"));
    const figure = tile?.querySelector(".tile__figure").firstChild.textContent;
    if (!figure || figure === before) return;
    before = figure;
    requestAnimationFrame(() => window.speeds.push([Number(figure), Date.now()]));
  }).observe(drawer, { childList: true, subtree: true, characterData: true });
}
