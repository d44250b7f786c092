/** The Homebrew cask of a release: what `brew install --cask` downloads, checks and removes. */
export function toCask(release: { version: string; owner: string; sha256: string }): string {
  const { version, owner, sha256 } = release;
  const repository = `https://github.com/${owner}/sightglass`;
  return `cask "sightglass" do
  version "${version}"
  sha256 "${sha256}"

  url "${repository}/releases/download/v#{version}/Sightglass-#{version}-arm64.dmg"
  name "Sightglass"
  desc "Serves a local vision-language model through the OpenAI API"
  homepage "${repository}"

  livecheck do
    url :url
    strategy :github_latest
  end

  auto_updates true
  depends_on arch: :arm64
  depends_on macos: ">= :sonoma"

  app "Sightglass.app"

  uninstall quit: "app.sightglass"

  zap trash: [
    "~/Library/Application Support/sightglass",
    "~/Library/Caches/app.sightglass",
    "~/Library/Caches/app.sightglass.ShipIt",
    "~/Library/Caches/sightglass-updater",
    "~/Library/HTTPStorages/app.sightglass",
    "~/Library/Logs/Sightglass",
    "~/Library/Preferences/app.sightglass.plist",
  ]
end
`;
}
