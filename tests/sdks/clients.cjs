// The Node SDKs as a program: `node tests/sdks/clients.cjs SDK`. See clients.py, which does the same in Python.
"use strict";
const channels = require("node:diagnostics_channel");

const { ADDRESS, WRITE_KEY, EVENTS, PACE_MS } = process.env;
const SDK = process.argv[2];
const [VISITOR, OTHER_VISITOR, USER] = [`访客-${SDK}`, `旧访客-${SDK}`, `用户-${SDK}`];
const errors = [];
let failed = 0;

// fetch tells of its requests here, without anything of the SDK being changed.
channels.subscribe("undici:request:error", () => failed++);
channels.subscribe("undici:request:headers", ({ response }) => (failed += response.statusCode >= 500));
process.on("exit", () => console.log(JSON.stringify({ errors, failed })));

const note = (error) => errors.push(String(error?.message ?? error?.reason ?? error));
const order = (n) => ({ sdk: SDK, n, total: 9.9, product: "手机壳" });

/** Call `say(n)` for each event, PACE_MS apart. */
async function everyEvent(say) {
  for (let n = 0; n < Number(EVENTS); n++) {
    say(n);
    await new Promise((resolve) => setTimeout(resolve, Number(PACE_MS)));
  }
}

function saySegment(client) {
  return everyEvent((n) => {
    if (n === 10)
      client.identify({ userId: USER, anonymousId: VISITOR, traits: { name: "张伟", city: "上海" } });
    if (n === 20) client.alias({ userId: USER, previousId: OTHER_VISITOR });
    const who = n < 20 ? { anonymousId: n < 10 ? VISITOR : OTHER_VISITOR } : { userId: USER };
    client.track({ ...who, event: "Order Completed", properties: order(n) });
  });
}

const SDKS = {
  async "segment-node"() {
    const { Analytics } = require("@segment/analytics-node");
    const client = new Analytics({ writeKey: WRITE_KEY, host: ADDRESS, flushInterval: 1000 });
    client.on("error", note);
    await saySegment(client);
    await client.closeAndFlush({ timeout: 60000 });
  },

  async "rudder-node"() {
    const Analytics = require("@rudderstack/rudder-sdk-node");
    const client = new Analytics(WRITE_KEY, {
      dataPlaneUrl: ADDRESS,
      flushInterval: 1000,
      retryCount: 10,
      axiosRetryConfig: { onRetry: () => failed++ },
      errorHandler: note,
    });
    await saySegment(client);
    await client.flush();
  },

  async "posthog-node"() {
    const { PostHog } = require("posthog-node");
    const client = new PostHog(WRITE_KEY, { host: ADDRESS, flushAt: 20, flushInterval: 1000 });
    await everyEvent((n) => {
      if (n === 10) {
        const told = { $anon_distinct_id: VISITOR, $set: { name: "张伟", city: "上海" } };
        client.capture({ distinctId: USER, event: "$identify", properties: told });
      }
      if (n === 20) client.alias({ distinctId: OTHER_VISITOR, alias: USER });
      // A server speaks of users unless it says that this is nobody known.
      const nobody = n < 10 ? { $process_person_profile: false } : {};
      const distinctId = n < 10 ? VISITOR : n < 20 ? OTHER_VISITOR : USER;
      client.capture({ distinctId, event: "Order Completed", properties: { ...order(n), ...nobody } });
    });
    await client.shutdown(60000);
  },

  async "sensors-node"() {
    const SensorsAnalytics = require("sa-sdk-node");
    const client = new SensorsAnalytics();
    const url = `${ADDRESS}/sa?project=default&token=${WRITE_KEY}`;
    client.submitTo({ url }, { count: 20, timeSpan: 1000 }).catch(note);
    await everyEvent((n) => {
      if (n === 20) {
        client.trackSignup(USER, VISITOR);
        client.profileSet(USER, { name: "张伟", city: "上海", $is_login_id: true });
      }
      client.track(n < 20 ? VISITOR : USER, "OrderCompleted", n < 20 ? order(n) : { ...order(n), $is_login_id: true });
    });
    client.onCompleted(); // what close() does before it stumbles over a log that was never opened
  },
};

SDKS[SDK]().catch((error) => {
  note(error);
  process.exitCode = 1;
});
