"""Models as the e2e tests run them: the real ones, gone live shortly before the market was extended on 4 May 1997."""
