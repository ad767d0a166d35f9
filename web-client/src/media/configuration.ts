/**
 * What every connection is made with. The server is asked directly; the relays are those it told with the ticket, if any: no other host is
 * ever asked.
 */
export function configuration(relays: RTCIceServer[]): RTCConfiguration {
  return { iceServers: relays, bundlePolicy: 'max-bundle' };
}

/** A standing connection that looks for another way gets the newest passes for the relays; the old ones may have run out. */
export function renewRelays(connection: RTCPeerConnection, relays: RTCIceServer[]): void {
  if (relays.length > 0) connection.setConfiguration?.(configuration(relays));
}
