// The theme somebody chose before, set before anything is painted.
const chosenTheme = localStorage.getItem("lograil-theme");
if (chosenTheme) document.documentElement.dataset.theme = chosenTheme;
