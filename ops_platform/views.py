from django.http import HttpResponse
from django.shortcuts import render
from workspaces.permissions import action

@action("home.view")
def show_home(request):
    return render(request, "home/today.html", {"title": "今日", "summary": "x"})
@action("home.view")
def search_palette(request):
    return HttpResponse("")
def choose_workspace(request):
    return HttpResponse("")
def health(request):
    return HttpResponse("")
