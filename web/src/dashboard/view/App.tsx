/** @jsxImportSource preact */
import { useState } from "preact/hooks";
import { Banner } from "./Banner";
import { Board } from "./Board";
import { Detail } from "./Detail";
import { Header } from "./Header";
import { useDashboard } from "./hooks";
import { Keys, useSearchKey } from "./Keys";
import { Splitter } from "./Splitter";
import { Strip } from "./Strip";
import { Tables } from "./Tables";

export function App() {
  const dashboard = useDashboard(250);
  const { key, pins, charts, boardPercent } = dashboard.link;
  const onBoard = pins.length + charts.flat().length;
  // A link to plots opens on them.
  const [narrowView, setNarrowView] = useState<"keys" | "board">(onBoard > 0 ? "board" : "keys");
  useSearchKey();
  const view = onBoard > 0 ? narrowView : "keys";
  return (
    <div
      class="app"
      data-stale={dashboard.health(Date.now()).stale}
      data-view={view}
      data-detail={key !== null}
    >
      <Header />
      <Tables />
      <Strip />
      <Banner />
      {onBoard > 0 && (
        <nav class="views" aria-label="View">
          {(["keys", "board"] as const).map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={view === name}
              onClick={() => {
                setNarrowView(name);
              }}
            >
              {name === "keys" ? "Keys" : `Pins and plots (${String(onBoard)})`}
            </button>
          ))}
        </nav>
      )}
      <main>
        <div
          class="work"
          data-split={boardPercent !== null}
          style={{ "--board-percent": boardPercent ?? "" }}
        >
          <Board />
          {onBoard > 0 && <Splitter />}
          <Keys />
        </div>
        {key !== null && <Detail key={key} id={key} />}
      </main>
    </div>
  );
}
