using Mirror.AcceptanceTests.Images;

namespace Mirror.AcceptanceTests;

/// <summary>The tests with real clients: one after the other, because their daemons are heavy, and with one image between them.</summary>
[CollectionDefinition(Name)]
public sealed class Clients : ICollectionFixture<DebianImage>
{
    public const string Name = "clients";
}
