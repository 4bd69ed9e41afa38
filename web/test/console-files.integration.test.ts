import { BerthError } from "@berth/protocol";
import type { Page } from "playwright-core";
import { beforeEach, describe, expect, it } from "vitest";
import { soon, testedConsole } from "./console-fixture.ts";
import type { FakeController } from "./fake-controller.ts";
import type { FakeWorkspace } from "./fake-workspace.ts";

const fixture = testedConsole();
const shot = (name: string) => fixture.shot(name);
let controller: FakeController;
let workspace: FakeWorkspace;
let page: Page;

/** One red pixel. */
const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==",
  "base64",
);

beforeEach(() => {
  ({ controller, page } = fixture);
  ({ workspace } = controller);
  controller.fleet.add("work", "ready");
  workspace.put("src/main.ts", 'import { serve } from "./serve.ts";\n\nserve(7400);\n');
  workspace.put("src/serve.ts", "export function serve(port: number) {\n  console.log(port);\n}\n");
  workspace.put("README.md", "# Work\n\nWhat it is.\n");
  workspace.put("picture.png", png);
  workspace.put("program.bin", Buffer.from([1, 0, 2]));
});

const item = (name: string | RegExp) => page.getByRole("treeitem", { name, exact: typeof name === "string" });
const editor = () => page.getByRole("textbox", { name: /^Edit / });
const textOf = (path: string) => workspace.files.get(path)?.toString();

describe("the files of a sandbox", () => {
  it("are a tree that is walked by keys, with links to each file, beside the terminals", async () => {
    await fixture.signIn("/sandboxes/work");
    await page.getByRole("link", { name: "Files", exact: true }).click();
    await item("src/").focus();
    await page.keyboard.press("ArrowRight");
    await item("serve.ts").waitFor();
    expect(await item("src/").getAttribute("aria-expanded")).toBe("true");
    await page.keyboard.type("ser");
    await page.keyboard.press("Enter");
    await page.getByText("console.log(port);").waitFor();
    expect(new URL(page.url()).pathname).toBe("/sandboxes/work/files/src/serve.ts");
    expect(await item("serve.ts").getAttribute("aria-selected")).toBe("true");
    await shot("files");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await item("serve.ts").waitFor({ state: "detached" });
    await page.reload();
    await page.getByText("console.log(port);").waitFor();
    await page.setViewportSize({ width: 390, height: 780 });
    await shot("files-phone-file");
    await page.getByRole("button", { name: "Back to the files" }).click();
    await shot("files-phone");
    await item("picture.png").click();
    await expect.poll(() => page.getByRole("img", { name: "picture.png" }).evaluate((img) => img.clientWidth)).toBe(1);
    await page.getByRole("link", { name: "Terminals" }).click();
    await page.locator(".terminal-host").waitFor();
    await shot("views-phone-terminal");
  });

  it("are shown as they change in the sandbox, a long folder by the page", async () => {
    for (let at = 0; at < 250; at++) workspace.put(`many/${String(at).padStart(3, "0")}.txt`, "x");
    await fixture.signIn("/sandboxes/work/files/README.md");
    await page.getByText("What it is.").waitFor();
    workspace.put("README.md", "# Work\n\nSomething else.\n");
    await page.getByText("Something else.").waitFor();
    workspace.put("made-by-claude.md", "new");
    await item("made-by-claude.md").waitFor();
    workspace.pageEntries = 200;
    await item("many/").click();
    await item("Show more…").click();
    await item("249.txt").waitFor();
    await item("program.bin").click();
    await page.getByText("It is neither text nor a picture, 3 bytes.").waitFor();
    workspace.put("big.log", "x".repeat(3 * 1024 * 1024));
    await item("big.log").click();
    await page.getByText("With 3.0 MiB it is too large to be shown here.").waitFor();
    const saved = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download", exact: true }).click();
    expect((await saved).url()).toContain("files/content?path=big.log");
  });

  it("are edited, and nothing that was changed meanwhile is overwritten unasked", async () => {
    await fixture.signIn("/sandboxes/work/files/README.md");
    await page.getByRole("button", { name: "Edit" }).click();
    await editor().fill("mine\n");
    await item(/README\.md/)
      .getByText("not saved")
      .waitFor({ state: "attached" });
    const [sandbox] = controller.fleet.sandboxes.values();
    if (!sandbox) throw new Error("there is no sandbox");
    controller.fleet.change(sandbox, { state: "stopped" });
    await page.getByText("This sandbox is stopped").waitFor();
    controller.fleet.change(sandbox, { state: "ready" });
    await page.getByRole("link", { name: "Changes" }).click();
    await page.getByRole("link", { name: "Files", exact: true }).click();
    await item(/README\.md/).click();
    expect(await editor().inputValue()).toBe("mine\n");
    workspace.put("README.md", "theirs\n");
    await page.getByText("It was changed in the sandbox meanwhile.").waitFor();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("heading", { name: "README.md was changed in the sandbox meanwhile" }).waitFor();
    await shot("files-conflict");
    expect(textOf("README.md")).toBe("theirs\n");
    await page.getByRole("button", { name: "Overwrite" }).click();
    await page.getByRole("button", { name: "Edit" }).waitFor();
    expect(textOf("README.md")).toBe("mine\n");
    await page.getByRole("button", { name: "Edit" }).click();
    await editor().fill("mine again\n");
    workspace.put("README.md", "theirs again\n");
    await page.keyboard.press("Control+s");
    await page.getByRole("button", { name: "Take theirs" }).click();
    await page.getByText("theirs again").waitFor();
    expect(textOf("README.md")).toBe("theirs again\n");
  });

  it("are made, renamed, deleted, uploaded, and replaced only when that is said", async () => {
    await fixture.signIn("/sandboxes/work/files");
    await item("src/").click();
    await page.getByRole("button", { name: "New in src" }).click();
    await page.getByRole("menuitem", { name: "New file…" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill("new.ts");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByText("The file is empty.").waitFor();
    expect(textOf("src/new.ts")).toBe("");
    await page.getByRole("button", { name: "Actions for new.ts" }).click();
    await page.getByRole("menuitem", { name: "Rename…" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill("serve.ts");
    await page.getByRole("button", { name: "Rename" }).click();
    await page.getByText("There is something of that name already.").waitFor();
    await page.getByRole("textbox", { name: "Name" }).fill("other.ts");
    await page.getByRole("button", { name: "Rename" }).click();
    await item("other.ts").waitFor();
    await item("other.ts").focus();
    await page.keyboard.press("Delete");
    await page.getByRole("button", { name: "Delete other.ts" }).click();
    await item("other.ts").waitFor({ state: "detached" });
    await page.evaluate(dropFiles({ "README.md": "dropped", "notes.txt": "dropped too" }));
    await page.getByText("A file of that name is there already.").waitFor();
    await item("notes.txt").waitFor();
    await shot("files-upload");
    expect(textOf("README.md")).not.toBe("dropped");
    await page.getByRole("button", { name: "Replace" }).click();
    await expect.poll(() => textOf("README.md"), soon).toBe("dropped");
  });

  it("are found by name and by what is in them, and opened at that line", async () => {
    await fixture.signIn("/sandboxes/work/files");
    await page.getByLabel("Search files").fill("serve");
    await page.getByText("1 result").waitFor();
    await page.getByLabel("Search in").selectOption("content");
    await page.getByRole("button", { name: /src\/main\.ts ?:3/ }).click();
    await page.locator(".text-line").waitFor();
    await shot("files-search");
    expect(new URL(page.url()).pathname).toBe("/sandboxes/work/files/src/main.ts");
    await page.getByLabel("Search files").fill("nowhere at all");
    await page.getByText("Nothing was found").waitFor();
  });
});

describe("the changes in a sandbox", () => {
  const change = (name: string) => page.getByRole("button", { name, exact: true });

  it("are reviewed, staged, committed and pushed", async () => {
    const { git } = workspace;
    git.change("src/serve.ts");
    git.change("src/main.ts");
    git.change("notes.md", { state: "untracked", unstaged: null });
    git.change("both.ts", { state: "conflicted", unstaged: null, conflict: "UU" });
    git.diffs.set("src/main.ts", { binary: true, hunks: [] });
    workspace.put("notes.md", "a note\n");
    controller.fleet.add("cloned", "ready", { workspace: { type: "git", url: "https://example.org/a/b.git" } });
    await fixture.signIn("/sandboxes/cloned/changes");
    await page.getByText("1 behind").waitFor();
    await change("src/serve.ts: modified").click();
    await page.getByText("what it was before").waitFor();
    await shot("changes");
    await change("src/main.ts: modified").click();
    await page.getByText("A binary file").waitFor();
    await change("notes.md: untracked").click();
    await page.getByText("a note").waitFor();
    await change("Stage src/serve.ts").click();
    await change("Unstage src/serve.ts").waitFor();
    await page.getByLabel("Commit message").fill("Serve on a port");
    await page.getByRole("button", { name: "Commit 1 file" }).click();
    await page.locator(".log-subject", { hasText: "Serve on a port" }).waitFor();
    await page.getByText("1 ahead, 1 behind").waitFor();
    git.refusal = new BerthError("push_rejected", "The remote has other commits.", { hint: "Fetch, and rebase." });
    await page.getByRole("button", { name: "Push" }).click();
    await page.getByText("Fetch, and rebase.").waitFor();
    git.refusal = undefined;
    await page.getByRole("button", { name: "Push" }).click();
    await page.getByText("Pushed 11111111 to berth/work.").waitFor();
    await page.getByText("Create a pull request").waitFor();
    await shot("changes-pushed");
    await page.setViewportSize({ width: 390, height: 780 });
    await shot("changes-phone-diff");
    await page.getByRole("button", { name: "Back to the changes" }).click();
    await shot("changes-phone");
  });

  it("ask for no project where the workspace was made from none", async () => {
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    const ada = { name: "Ada", email: "ada@example.org", at: "2026-11-21T10:00:00.000Z" };
    const of = { commit: "1".repeat(40), parents: [], refs: [], author: ada, committer: ada };
    workspace.git.commits = [{ ...of, subject: "The first one", body: "" }];
    await fixture.signIn("/sandboxes/work/changes");
    await page.locator(".log-subject", { hasText: "The first one" }).waitFor();
    expect(asked.filter((path) => path.endsWith("/git/project"))).toEqual([]);
    expect(await page.getByRole("button", { name: "Push" }).count()).toBe(0);
  });

  it("follow the workspace, and are discarded only when asked, with word of where they are kept", async () => {
    await fixture.signIn("/sandboxes/work/changes");
    await page.getByText("Nothing has changed since the last commit").waitFor();
    workspace.git.change("src/serve.ts");
    workspace.tell(["src/serve.ts"]);
    await change("Discard src/serve.ts").click();
    await page.getByText("is kept in the sandbox for two weeks").waitFor();
    expect(workspace.git.files).toHaveLength(1);
    await page.getByRole("button", { name: "Discard", exact: true }).click();
    await page.getByText("/workspace/.berth/discarded/2026-11-21T10-00-00Z").waitFor();
    expect(workspace.git.files).toHaveLength(0);
  });

  it("are none where there is no repository, until one is made", async () => {
    workspace.git.exists = false;
    workspace.put("inner/.git/HEAD", "ref: refs/heads/main\n");
    await fixture.signIn("/sandboxes/work/changes");
    await page.getByText("The workspace is not a git repository").waitFor();
    await page.getByRole("link", { name: "inner" }).waitFor();
    await shot("changes-none");
    workspace.git.exists = true;
    workspace.tell(["x"]);
    await page.getByText("Nothing has changed since the last commit").waitFor();
  });
});

describe("work that is nowhere else", () => {
  it("is named before its sandbox is deleted, and what was kept is in the settings", async () => {
    controller.unsaved = { known: true, commits: 2, files: 1, stashes: 0, paths: ["src/serve.ts"] };
    await fixture.signIn("/sandboxes/work/files");
    await page.getByRole("button", { name: "Actions for work" }).click();
    await page.getByRole("menuitem", { name: "Delete…" }).click();
    await page.getByText("work that is nowhere else: 2 commits, 1 file that is not committed").waitFor();
    await shot("delete-unsaved");
    await page.goto(`${controller.url}/settings`);
    await page.getByRole("link", { name: "commits" }).waitFor();
    await shot("kept-work");
    await page.getByRole("button", { name: "Delete what is kept of gone" }).click();
    await page.getByText("Nothing is kept.").waitFor();
  });
});

/** A program for the page that drops files on the tree as a browser does. */
function dropFiles(files: Record<string, string>): string {
  return `(() => {
    const transfer = new DataTransfer();
    for (const [name, text] of Object.entries(${JSON.stringify(files)})) transfer.items.add(new File([text], name));
    const how = { dataTransfer: transfer, bubbles: true, cancelable: true };
    const target = document.querySelector("[data-key='README.md']");
    target.dispatchEvent(new DragEvent("dragenter", how));
    target.dispatchEvent(new DragEvent("drop", how));
  })()`;
}
