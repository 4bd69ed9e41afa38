import react from "@vitejs/plugin-react";
import { defineConfig, type ProxyOptions } from "vite";

/** The controller that `npm run dev` talks to. */
const controller = "http://127.0.0.1:7400";

/** The controller accepts its own `Host` and `Origin` only: the development server speaks in its name. */
const asController: ProxyOptions = {
  target: controller,
  changeOrigin: true,
  rewriteWsOrigin: true,
  ws: true,
  configure: (proxy) => {
    proxy.on("proxyReq", (request) => {
      if (request.hasHeader("origin")) request.setHeader("origin", controller);
    });
  },
};

export default defineConfig({
  plugins: [react()],
  server: { host: "127.0.0.1", port: 5173, proxy: { "/api": asController, "/readyz": asController } },
  // Inlined assets would need `data:` in the page's content security policy.
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
