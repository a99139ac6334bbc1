using Mirror.Access.Tokens;
using Mirror.Configuration;

namespace Mirror.Tests.Access;

public sealed class ScopeTests
{
    [Theory]
    [InlineData("repository:library/alpine:pull", "library/alpine", Rights.Pull)]
    [InlineData("repository:team-a/app:push", "team-a/app", Rights.Push)]
    [InlineData("repository:team-a/app:pull,push,delete", "team-a/app", Rights.Pull | Rights.Push | Rights.Delete)]
    [InlineData("repository:team-a/app:*", "team-a/app", Rights.Pull | Rights.Push | Rights.Delete)]
    [InlineData("repository:team-a/app:pull,fly", "team-a/app", Rights.Pull)]
    [InlineData("repository(plugin):team-a/app:pull", "team-a/app", Rights.Pull)]
    [InlineData("repository:localhost:5000/team-a/app:pull", "localhost:5000/team-a/app", Rights.Pull)]
    public void A_scope_is_for_a_repository_and_actions(string text, string name, Rights rights)
    {
        var grant = new Grant(Scope.ReadAll([text]));

        Assert.Equal(rights, grant.RightsOf(name));
        Assert.Equal(Rights.None, grant.RightsOf(name + "x"));
        Assert.False(grant.Catalog);
        Assert.Equal(grant, new Grant(Scope.ReadAll([grant.ToString()])));
    }

    [Fact]
    public void A_scope_can_be_for_the_catalog()
    {
        var grant = new Grant(Scope.ReadAll(["registry:catalog:*"]));

        Assert.True(grant.Catalog);
        Assert.Equal("registry:catalog:*", grant.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("repository")]
    [InlineData("repository:a")]
    [InlineData("repository::pull")]
    [InlineData("repository:a:")]
    [InlineData("repository:a:fly")]
    [InlineData(":a:pull")]
    [InlineData("a:b:c:d")]
    [InlineData("repository:a:b:c:pull")]
    [InlineData("registry:catalog:pull")]
    [InlineData("registry:other:*")]
    [InlineData("repository:a\"b:pull")]
    [InlineData("repository:a\nb:pull")]
    public void What_is_no_scope_that_is_known_is_left_out(string text) => Assert.Empty(Scope.ReadAll([text]));

    [Fact]
    public void Scopes_come_in_one_parameter_and_in_several_and_no_more_than_a_hundred_count()
    {
        var many = Scope.ReadAll(["repository:a:pull  repository:b:push", null, "nonsense registry:catalog:*", "repository:a:pull"]);

        Assert.Equal("repository:a:pull repository:b:push registry:catalog:*", new Grant(many).ToString());
        Assert.Equal(100, Scope.ReadAll(Enumerable.Range(0, 1000).Select(i => $"repository:r{i}:pull")).Count);
    }

    [Fact]
    public void What_several_scopes_say_of_a_repository_is_added_up()
    {
        var grant = new Grant(Scope.ReadAll(["repository:a:pull repository:b:push repository:a:delete"]));

        Assert.Equal(Rights.Pull | Rights.Delete, grant.RightsOf("a"));
        Assert.Equal(Rights.Push, grant.RightsOf("b"));
    }
}
