// The connections of a page, for tests that look at what they carry.

/** Runs in a page before any script: keeps its connections in `window.connections`, the oldest first. */
export function keepConnections() {
  const Real = window.RTCPeerConnection;
  window.connections = [];
  window.RTCPeerConnection = class extends Real {
    constructor(...args) {
      super(...args);
      window.connections.push(this);
    }
  };
}
