import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores: real processes, databases and sockets in every file; more workers only wait for each other.
    maxWorkers: 2,
  },
});
