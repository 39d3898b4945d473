/** @jsxImportSource preact */
import { formatBytes, formatCount, formatCounted } from "../model/format";
import type { Known } from "../model/health";
import type { Status } from "../model/operations";
import { useDismissal } from "./hooks";

/** How far the service has read each partition, in a popover. */
export function Partitions({ status, known }: { status: Status; known: Known }) {
  const details = useDismissal();
  const { partitions, sizes, version } = status;
  const ends = known === "all";
  return (
    <details ref={details} class="partitions">
      <summary>{formatCounted(partitions.length, "partition")}</summary>
      <div class="popover">
        <div class="scroller" tabIndex={0} role="group" aria-label="Partitions">
          <table>
            <thead>
              <tr>
                <th scope="col">Partition</th>
                <th scope="col">Position</th>
                <th scope="col">End</th>
                <th scope="col">Lag</th>
              </tr>
            </thead>
            <tbody>
              {partitions.map(({ partition, position, endOffset, lag }) => (
                <tr key={partition}>
                  <td>{partition}</td>
                  <td>{known === "nothing" ? "–" : formatCount(position)}</td>
                  <td>{ends ? formatCount(endOffset) : "–"}</td>
                  <td>{ends ? formatCount(lag) : "–"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        <p>
          {known !== "nothing" &&
            `${formatBytes(sizes.databaseBytes)} on disk, ${formatCounted(sizes.windowChanges, "recent change")} kept. `}
          Version {version}.
        </p>
      </div>
    </details>
  );
}
