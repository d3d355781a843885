// swift-tools-version:5.7
// yukha for SwiftPM. Not built where this project is tested; bindings/objc/README.md says what is.
import PackageDescription

let package = Package(
    name: "Yukha",
    platforms: [.macOS(.v11), .iOS(.v13), .tvOS(.v13), .watchOS(.v7)],
    products: [
        .library(name: "Yukha", targets: ["Yukha"]),
    ],
    targets: [
        .target(
            name: "YukhaCore",
            path: ".",
            exclude: [
                "bindings", "examples", "tests", "src/README.md", "src/flow.svg", "src/hold/FORMAT.md", "src/send/CONTRACT.md",
                "src/yukha.map",
            ],
            sources: ["src"],
            publicHeadersPath: "include",
            cxxSettings: [.headerSearchPath("src")],
            linkerSettings: [.linkedLibrary("curl"), .linkedLibrary("sqlite3"), .linkedLibrary("z")]
        ),
        .target(
            name: "Yukha",
            dependencies: ["YukhaCore"],
            path: "bindings/objc",
            exclude: ["README.md", "CMakeLists.txt", "sample.m"],
            sources: ["Yukha.mm"],
            publicHeadersPath: "include"
        ),
    ],
    cxxLanguageStandard: .cxx17
)
