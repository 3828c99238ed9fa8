// What HTML alone cannot: a question before a form that takes something away, and the chart.
"use strict";

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

const chart = document.getElementById("speed");
if (chart) drawSpeed(chart);

function drawSpeed(box) {
  const KEPT_SECONDS = 15 * 60;
  const points = JSON.parse(box.dataset.points);
  const now = document.getElementById("speed-now");
  let plot = null;

  function draw() {
    if (plot) plot.destroy();
    // uPlot's axes are black unless they are told a colour, in each theme.
    const style = getComputedStyle(box);
    const text = getComputedStyle(document.body).color;
    const axis = { stroke: text, grid: { stroke: style.borderTopColor } };
    plot = new uPlot(
      {
        width: box.clientWidth,
        height: 160,
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { range: (_, __, last) => [last - KEPT_SECONDS, last] },
          y: { range: (_, __, most) => [0, Math.max(10, most * 1.1)] },
        },
        series: [{}, { stroke: style.color, width: 2 }],
        axes: [axis, axis],
      },
      columns(),
      box,
    );
    tell();
  }

  function columns() {
    return [points.map((point) => point[0]), points.map((point) => point[1])];
  }

  function tell() {
    const last = points[points.length - 1];
    now.textContent = last ? `${Math.round(last[1])} at the moment` : "";
  }

  document.body.addEventListener("htmx:sseBeforeMessage", (event) => {
    if (event.detail.type !== "speed") return;
    event.preventDefault();
    for (const point of JSON.parse(event.detail.data)) {
      const last = points[points.length - 1];
      if (!last || point[0] > last[0]) points.push(point);
    }
    while (points.length && points[0][0] < points[points.length - 1][0] - KEPT_SECONDS) points.shift();
    plot.setData(columns());
    tell();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  window.addEventListener("resize", draw);
  draw();
}
