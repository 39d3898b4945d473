/** @jsxImportSource preact */
import { useDashboard } from "./hooks";

/** Shows the current problem across the whole page. */
export function Banner() {
  const dashboard = useDashboard(250);
  const { level, banner } = dashboard.health(Date.now());
  const { kind } = dashboard.session.connection;
  return (
    <>
      {/* Only the title is announced, since a countdown every second would disturb screen readers. */}
      <p class="unseen" role="status">
        {banner?.title}
      </p>
      {banner && (
        <section class={`banner banner-${level}`} aria-label="Notice">
          <span class="pulse" aria-hidden="true" />
          <p>
            <strong>{banner.title}</strong> <span>{banner.text}</span>
          </p>
          {(kind === "waiting" || kind === "refused") && (
            <button
              type="button"
              class="button"
              onClick={() => {
                dashboard.session.retryNow();
              }}
            >
              Try now
            </button>
          )}
        </section>
      )}
    </>
  );
}
