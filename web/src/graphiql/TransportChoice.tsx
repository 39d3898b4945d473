import { useState } from "react";
import { readTransport, type Transport, TRANSPORTS, writeTransport } from "./transport";

/** Selects the transport of the next subscription. */
export function TransportChoice() {
  const [chosen, setChosen] = useState(readTransport);
  return (
    <fieldset className="transport">
      <legend>Subscriptions over</legend>
      {(Object.entries(TRANSPORTS) as [Transport, string][]).map(([transport, name]) => (
        <label key={transport}>
          <input
            type="radio"
            name="transport"
            checked={transport === chosen}
            onChange={() => {
              writeTransport(transport);
              setChosen(transport);
            }}
          />
          {name}
        </label>
      ))}
    </fieldset>
  );
}
