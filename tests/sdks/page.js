// A shop's page with a browser SDK on it, told in its address: sdk, address, key, events, pace (ms). It sends from another
// origin than the server's. The first ten events come before somebody logs in. window.done is {errors} at the end.
"use strict";
const told = Object.fromEntries(new URLSearchParams(location.search));
const USER = `用户-${told.sdk}`;
const errors = [];
const order = (n) => ({ sdk: told.sdk, n, total: 9.9, product: "手机壳" });
addEventListener("error", (event) => errors.push(event.message));
addEventListener("unhandledrejection", (event) => errors.push(String(event.reason)));

async function everyEvent(say) {
  for (let n = 0; n < Number(told.events); n++) {
    say(n);
    await new Promise((resolve) => setTimeout(resolve, Number(told.pace)));
  }
}

/** Send by 神策's SDK, with `options` over its own. */
async function saySensors(options) {
  const sensors = window.sensorsDataAnalytic201505;
  const server_url = `${told.address}/sa?project=default&token=${told.key}`;
  const heatmap = { clickmap: "not_collect", scroll_notice_map: "not_collect" };
  sensors.init({ server_url, show_log: false, heatmap, ...options });
  await everyEvent((n) => {
    if (n === 10) {
      sensors.login(USER);
      sensors.setProfile({ name: "张伟", city: "上海" });
    }
    sensors.track("OrderCompleted", order(n));
  });
}

const SDKS = {
  async "segment-browser"() {
    // Where to send is in the settings that the server gives.
    const [analytics] = await AnalyticsNext.AnalyticsBrowser.load({ writeKey: told.key, cdnURL: told.address });
    await everyEvent((n) => {
      if (n === 10) analytics.identify(USER, { name: "张伟", city: "上海" });
      analytics.track("Order Completed", order(n));
    });
  },

  "sensors-browser": () => saySensors({}), // a picture for each event
  "sensors-batch-browser": () => saySensors({ batch_send: true }),
};

SDKS[told.sdk]()
  .catch((error) => errors.push(String(error)))
  .finally(() => (window.done = { errors }));
