/**
 * What one HTTP/1.1 connection may cost beyond the limits it shares with HTTP/2 (bytes and number of header fields are
 * in http2/limits.ts, and mean the same here).
 */

/** From the first byte of a request's head to its end (slow-loris); as long as HTTP/2's preface may take. */
export const headTimeoutMs = 10_000;
/** Between two requests on a connection that stays open. */
export const keepAliveTimeoutMs = 75_000;
/** Of a request whose body we would read, or an answer that we would write, without a byte moving. */
export const bodyStallTimeoutMs = 300_000;
/** How often the times above are looked at. */
export const sweepIntervalMs = 1000;
/** Requests that were read while an earlier one was not answered; what comes beyond is for another connection. */
export const pipelinedRequestsMax = 128;
/** Content that is read and thrown away after a final answer; past it the connection ends. */
export const unreadContentBytesMax = 65_536;
/** As many as a head may have. */
export const trailerFieldsMax = 256;
/** How long a connection that ends may keep its socket, so that the answer arrives before the reset does. */
export const lingerMs = 1000;
/** Interim answers (1xx) to one request. */
export const interimAnswersMax = 32;
/** Content that was handed on and not drained, per message: as much as one HTTP/2 stream's window. */
export const windowBytes = 65_536;
/** The same while the process's buffers are nearly full. */
export const tightWindowBytes = 16_384;

/** Sockets to one endpoint, and requests that may wait for one. */
export const socketsPerEndpointMax = 256;
export const waitersPerEndpointMax = 4096;
/** A socket without a request is closed after this, or a second before the endpoint said that it would close it. */
export const upstreamIdleTimeoutMs = 60_000;
