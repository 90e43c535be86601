/**
 * Between a Saltpeter wrapper and the object of its job.
 *
 * Which object that is only the first frame says, so the Worker itself accepts the connection, and opens a second one to
 * the object when it has read that. It passes on what it reads, except heartbeats: these carry the time, so the runtime
 * can't answer them for the object. To the object they become Leash's own heartbeat, which doesn't wake it.
 */
import { HEARTBEAT, HEARTBEAT_INTERVAL_MS } from '#protocol/limits';
import {
  encodeSaltpeterReply,
  MAX_SALTPETER_FRAME_CHARS,
  readSaltpeterMessage,
  type SaltpeterMessage,
  type SaltpeterNames,
  type SaltpeterReply,
} from '#protocol/saltpeter-link';
import { log } from '../../shared/log.ts';
import { SALTPETER_PROBE, type SaltpeterOpening } from '../../shared/rpc/saltpeter-opening.ts';

/** A wrapper speaks at once: a connection that is silent for this long is not one of a wrapper. */
const FIRST_FRAME_MS = 30_000;
/** No heartbeat is longer. A longer frame isn't parsed here. */
const MAX_HEARTBEAT_CHARS = 2_048;
/** A wrapper that has sent anything within three heartbeats is there. */
const ALIVE_MS = 3 * HEARTBEAT_INTERVAL_MS;
/** How much may wait for the link to the object: more than two of the largest frames that a wrapper sends. */
const MAX_WAITING_CHARS = MAX_SALTPETER_FRAME_CHARS;

const CLOSE = { policy: 1008, tooMuch: 1009, internal: 1011, tryAgain: 1013 } as const;

interface RelayTo {
  /** @returns why the run that a first frame names is refused; null if it isn't */
  authorise(names: SaltpeterNames): string | null;
  /** Connects to the object; null if it takes no connection. */
  connect(opening: SaltpeterOpening): Promise<WebSocket | null>;
}

export class SaltpeterRelay {
  readonly #wrapper: WebSocket;
  readonly #to: RelayTo;
  /** The link to the object; null until it is open. */
  #object: WebSocket | null = null;
  /** Frames that wait for it, in order. */
  #waiting: string[] = [];
  #waitingChars = 0;
  #isConnecting = false;
  /** A heartbeat to repeat when the object asks, and when any frame last arrived. */
  #heartbeat = '';
  #heardAt = 0;
  #isProbed = false;
  readonly #firstFrameTimer: ReturnType<typeof setTimeout>;

  constructor(wrapper: WebSocket, to: RelayTo) {
    this.#wrapper = wrapper;
    this.#to = to;
    this.#firstFrameTimer = setTimeout(() => this.#close(CLOSE.policy, 'no frame; reconnect'), FIRST_FRAME_MS);
    wrapper.addEventListener('message', ({ data }) => this.#received(data));
    wrapper.addEventListener('close', ({ code }) => this.#closed(code));
    wrapper.addEventListener('error', () => this.#closed(CLOSE.internal));
  }

  #received(frame: string | ArrayBuffer): void {
    if (typeof frame !== 'string') {
      this.#refuse('BAD_FRAME', 'a frame must be text');
      return;
    }
    this.#heardAt = Date.now();
    if (this.#object !== null) this.#pass(this.#object, frame);
    else if (this.#isConnecting) this.#wait(frame);
    else this.#receivedFirst(frame);
  }

  /** A frame before the link to the object is asked for. `connect` says no more than the names: it is answered here. */
  #receivedFirst(frame: string): void {
    const read = readSaltpeterMessage(frame);
    if (read.kind === 'unknown_type') return;
    if (read.kind === 'malformed') {
      this.#refuse(read.code.toUpperCase(), read.message);
      return;
    }
    const { message } = read;
    const why = this.#to.authorise(namesOf(message));
    if (why !== null) this.#refuse('FORBIDDEN', why);
    else if (message.type === 'connect') this.#reply({ type: 'ack', ack_type: 'connect' });
    else {
      this.#isConnecting = true;
      this.#wait(frame);
      void this.#connect({ names: namesOf(message), pid: message.type === 'start' ? message.pid : null });
    }
  }

  async #connect(opening: SaltpeterOpening): Promise<void> {
    try {
      const object = await this.#to.connect(opening);
      if (object === null) throw new Error('the object takes no connection');
      object.accept();
      object.addEventListener('message', ({ data }) => this.#fromObject(object, String(data)));
      object.addEventListener('close', ({ code, reason }) => this.#close(code, reason));
      object.addEventListener('error', () => this.#close(CLOSE.internal, 'internal'));
      if (this.#wrapper.readyState !== WebSocket.OPEN) {
        close(object, CLOSE.internal, 'the wrapper is gone');
        return;
      }
      clearTimeout(this.#firstFrameTimer);
      this.#object = object;
      const waiting = this.#waiting;
      this.#waiting = [];
      // The first frame opens the run: it is passed on whatever it is.
      for (const [index, frame] of waiting.entries()) {
        if (index === 0) object.send(frame);
        else this.#pass(object, frame);
      }
    } catch (error) {
      log.error('saltpeter_not_connected', error, { job: opening.names.job_name });
      this.#close(CLOSE.internal, 'internal; reconnect');
    }
  }

  #wait(frame: string): void {
    this.#waitingChars += frame.length;
    if (this.#waitingChars <= MAX_WAITING_CHARS) this.#waiting.push(frame);
    else this.#close(CLOSE.tryAgain, 'too much at once; reconnect');
  }

  #pass(object: WebSocket, frame: string): void {
    if (object.readyState !== WebSocket.OPEN) return;
    const isHeartbeat = frame.length <= MAX_HEARTBEAT_CHARS && readType(frame) === 'heartbeat';
    if (isHeartbeat) this.#heartbeat = frame;
    object.send(isHeartbeat && !this.#isProbed ? HEARTBEAT : frame);
    this.#isProbed = false;
  }

  #fromObject(object: WebSocket, frame: string): void {
    if (frame === HEARTBEAT) return;
    if (frame === SALTPETER_PROBE) {
      this.#probed(object);
      return;
    }
    if (this.#wrapper.readyState === WebSocket.OPEN) this.#wrapper.send(frame);
  }

  /** The object has seen no heartbeat. The wrapper can't be asked: what it said last answers, or what it says next. */
  #probed(object: WebSocket): void {
    const isAlive = this.#heartbeat !== '' && Date.now() - this.#heardAt < ALIVE_MS;
    if (isAlive && object.readyState === WebSocket.OPEN) object.send(this.#heartbeat);
    else this.#isProbed = true;
  }

  #refuse(code: string, message: string): void {
    log.warn('saltpeter_refused', { code, message });
    this.#reply({ type: 'error', code, message });
    this.#close(CLOSE.policy, code);
  }

  #reply(message: SaltpeterReply): void {
    if (this.#wrapper.readyState === WebSocket.OPEN) this.#wrapper.send(encodeSaltpeterReply(message, new Date()));
  }

  /** The wrapper is gone. */
  #closed(code: number): void {
    clearTimeout(this.#firstFrameTimer);
    close(this.#wrapper, code, '');
    if (this.#object !== null) close(this.#object, code, '');
  }

  /** The link can't go on. */
  #close(code: number, reason: string): void {
    clearTimeout(this.#firstFrameTimer);
    this.#waiting = [];
    close(this.#wrapper, code, reason);
    if (this.#object !== null) close(this.#object, code, reason);
  }
}

function namesOf({ job_name, job_instance, machine }: SaltpeterMessage): SaltpeterNames {
  return { job_name, job_instance, machine };
}

/** The type of a short frame, whose other fields the object checks; null if it has none. */
function readType(frame: string): string | null {
  const read = readSaltpeterMessage(frame);
  return read.kind === 'message' ? read.message.type : null;
}

/** 1005 and 1006 say that the peer gave no code, and must not be sent. */
function close(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState !== WebSocket.OPEN && socket.readyState !== WebSocket.CLOSING) return;
  const isSendable =
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code < 5000);
  socket.close(isSendable ? code : 1000, reason);
}
